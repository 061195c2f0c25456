"""Statistics of rounds.

Steady state, summaries, effects with their intervals, verdicts, and how many rounds decide. Pure.
"""
