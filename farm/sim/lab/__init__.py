"""Labs of simulated devices for people: a YAML file that describes one, and what runs it.

`reader.load` reads the file, `running.running` starts its devices, `written.published` writes the inventory
where the user wants it.
"""
