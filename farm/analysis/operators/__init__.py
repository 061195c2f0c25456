"""Operators of profiles: grouped, side by side, as parts of a difference, and below ceilings. Pure."""
