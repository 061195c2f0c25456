"""Commands about the memory of all runs."""
