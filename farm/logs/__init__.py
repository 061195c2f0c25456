"""What load_and_run prints, as nouns: times, tensors, flags. Pure."""
