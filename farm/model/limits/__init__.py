"""Limits that users set: on waits, on the disk of a device, on its heat."""
