"""What load_and_run prints, as nouns.

Times, tensors, flags. Pure.
"""
