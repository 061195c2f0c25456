"""How many timed rounds each cell of a device gets, and what the device is like before and during each."""
