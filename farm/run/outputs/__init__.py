"""Outputs of check rounds: what is compared with what, and when."""
