"""The command for every night."""
