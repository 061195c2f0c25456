"""What a night has to tell: only what is new, once, to those who asked for it."""
