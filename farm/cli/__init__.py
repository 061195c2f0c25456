"""The command line: one module per command.

The only user of typer and rich; farm.cli.commands is the table of commands.
"""
