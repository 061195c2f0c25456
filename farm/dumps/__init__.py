"""Parsers of the files that load_and_run writes.

Profiles, tensors, caches, memory plans; each knows one format. Pure.
"""
