"""Two sides of cells that were measured, to verdicts: what may be compared, what changed, in which words. Pure."""
