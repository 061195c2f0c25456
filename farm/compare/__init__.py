"""Measured cells to verdicts: what may be compared, what changed, in which words. Pure."""
