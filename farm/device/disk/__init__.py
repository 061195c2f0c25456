"""The disk of a device: what farm keeps on it, what of that can go, and room for what is to be pushed."""
