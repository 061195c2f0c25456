"""Files that load_and_run writes, as nouns: profiles, tensors, caches, memory plans. Pure."""
