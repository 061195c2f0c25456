"""Everything that a round left on a device comes here: its streams, its files, small ones together."""
