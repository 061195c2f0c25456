"""Runs that the fleet begins by itself at set times."""
