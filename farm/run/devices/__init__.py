"""What is asked of devices, or done to them, outside of a run."""
