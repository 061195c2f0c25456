"""The programs of a device: what they are, whether they run there, and which cells they fit."""
