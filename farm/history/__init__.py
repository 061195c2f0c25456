"""The memory of all runs: a database that can always be made again from their folders, and what changed."""
