"""Files on their way to a device: whole ones, many small ones at once, what changed of an older one."""
