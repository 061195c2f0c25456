"""The nouns, as frozen dataclasses.

No I/O, no clock, no randomness.
"""
