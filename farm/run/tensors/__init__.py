"""Dumps of every tensor: read from disk, compared on all cores, never in memory as a whole."""
