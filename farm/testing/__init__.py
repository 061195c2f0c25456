"""Benchmarks in tests of your own, for pytest."""
