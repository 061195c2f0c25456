"""`farm options list`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.catalogue.row_json import as_json
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.options import CATALOGUE, search

COLUMNS = ("option", "native", "wheel", "what it does")

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
        show([(row.name, row.native.works, row.wheel.works, row.help) for row in rows])


def show(lines: Sequence[Sequence[str]]) -> None:
    """A table on a terminal. Elsewhere each option is one line, however long, as other programs read it."""
    if out.is_terminal:
        table = simple_table(COLUMNS, lines)
        table.columns[0].no_wrap = True
        out.print(table)
        return
    widths = [max(map(len, column)) for column in zip(COLUMNS, *lines, strict=True)]
    for line in (COLUMNS, *lines):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        out.print(plain("  ".join(cells).rstrip()))
