"""The command line: a table of commands, one module each; the only user of typer and rich."""
