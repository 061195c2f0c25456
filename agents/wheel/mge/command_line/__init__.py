"""What was asked: the flags, and what is refused before anything runs."""
