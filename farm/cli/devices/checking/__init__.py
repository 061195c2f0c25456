"""What `farm devices check` does: `once` connects, then imports what asks and shows."""
