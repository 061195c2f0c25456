"""The search for the fastest options."""
