"""What is wrong with a device, and what to do about it: a table of rules over what was seen of it. Pure."""
