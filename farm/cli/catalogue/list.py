"""`farm options list`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.catalogue.row_json import as_json
from farm.cli.terminal.console import out, show_json
from farm.cli.terminal.tables import simple_table
from farm.options import CATALOGUE, search

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm options list\n\n  farm options list layout"}


def command(
    text: Annotated[str | None, typer.Argument(help="Only options whose name or help contains this.")] = None,
    json: args.Json = False,
) -> None:
    """List the options, all or those that match."""
    rows = CATALOGUE if text is None else search(text)
    if json:
        show_json([as_json(row) for row in rows])
    else:
        lines = [(row.name, row.native.works, row.wheel.works, row.help) for row in rows]
        out.print(simple_table(("option", "native", "wheel", "what it does"), lines))
