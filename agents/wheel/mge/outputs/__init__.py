"""Files that this program itself writes: dumped outputs, packed models."""
