"""Runs that move between machines: one archive each, checked by digests on arrival."""
