"""What a later process needs to go on with a run: what was asked for."""
