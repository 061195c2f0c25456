"""Files that load_and_run writes, as nouns.

Profiles, tensors, caches, memory plans; each knows one format. Pure.
"""
