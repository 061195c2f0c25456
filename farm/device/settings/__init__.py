"""Settings of a device that hold for a lease: which ones a pin means, and what became of them. Pure."""
