"""Bring-up of a device: a table of tasks, each with the scripts that check it and do it. Pure."""
