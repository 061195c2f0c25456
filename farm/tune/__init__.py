"""The search for the fastest options of a model on a device: what is tried, what stays, what is kept."""
