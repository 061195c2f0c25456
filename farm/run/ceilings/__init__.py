"""Measures what a device can do at most with the cores of its profiled cells, by two bundled models."""
