"""`farm options show`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.catalogue.row_json import as_json
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.options import option

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm options show fast-run\n\n  farm options show enable_nchw44"
}


def command(
    name: Annotated[str, typer.Argument(help="An option, in any spelling.")], json: args.Json = False
) -> None:
    """Show everything about one option: flag, type, what it reads and writes, limits, traps."""
    row = option(name)
    if json:
        show_json(as_json(row))
        return
    lines = [
        (row.name, row.help),
        ("flag", f"--{row.flag}" if row.flag else "none: not in MegEngine 1.13"),
        ("group", str(row.group)),
        ("type", str(row.kind) + (f", default {row.default}" if row.default is not None else "")),
        ("round", str(row.round_kind)),
        ("reads", row.reads or ""),
        ("writes", row.writes or ""),
        ("also", ", ".join((*row.aliases, *row.misspellings))),
        ("native", f"{row.native.works}{f': {row.native.why}' if row.native.why else ''}"),
        ("wheel", f"{row.wheel.works}{f': {row.wheel.why}' if row.wheel.why else ''}"),
        *(("trap", trap) for trap in row.traps),
    ]
    for label, text in lines:
        if text:
            out.print(plain(f"{label + ':':<10} {text}"))
