"""Finds the first slower one of an ordered list of builds: what to measure next, and what is known."""
