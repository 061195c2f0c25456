"""What rounds say together.

Steady state and summaries. Pure.
"""
