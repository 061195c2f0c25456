"""`farm runtime list`."""

from __future__ import annotations

from typing import Any

from farm.cli import arguments as args
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.runtime import install as installing

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm runtime list --json"}


def command(json: args.Json = False) -> None:
    """List the installed wheel runtimes."""
    found = installing.list_installed()
    if json:
        show_json([{"version": one.version, "root": str(one.root)} for one in found])
    elif found:
        out.print(simple_table(("version", "where"), [(one.version, str(one.root)) for one in found]))
    else:
        out.print(
            plain("no runtime installed; type: farm runtime install (a bench that needs it installs it)")
        )
