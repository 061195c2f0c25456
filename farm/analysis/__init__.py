"""Statistics of rounds.

Steady state and summaries. Pure.
"""
