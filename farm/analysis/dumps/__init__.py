"""Dumps of every tensor: which is which, where two runs part, and the planned memory. Pure."""
