"""`farm options`: the catalogue of load_and_run options."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.console import out, plain, show_json
from farm.cli.matrix import simple_table
from farm.options import CATALOGUE, option, search
from farm.options.row import Option

app = typer.Typer(help="Search and explain load_and_run's options.", no_args_is_help=True)


def as_json(row: Option) -> dict[str, Any]:
    return {
        "name": row.name,
        "flag": row.flag,
        "group": row.group,
        "type": row.kind,
        "default": row.default,
        "help": row.help,
        "aliases": row.aliases,
        "misspellings": row.misspellings,
        "round": row.round_kind,
        "reads": row.reads,
        "writes": row.writes,
        "native": {"works": row.native.works, "why": row.native.why},
        "wheel": {"works": row.wheel.works, "why": row.wheel.why},
        "traps": row.traps,
    }


@app.command("list", epilog="Examples:\n\n  farm options list\n\n  farm options list layout")
def list_options(
    text: Annotated[str | None, typer.Argument(help="Only options whose name or help has this.")] = None,
    json: args.Json = False,
) -> None:
    """List the options, all or those that match."""
    rows = CATALOGUE if text is None else search(text)
    if json:
        show_json([as_json(row) for row in rows])
    else:
        lines = [(row.name, row.native.works, row.wheel.works, row.help) for row in rows]
        out.print(simple_table(("option", "native", "wheel", "what it does"), lines))


@app.command("show", epilog="Examples:\n\n  farm options show fast-run\n\n  farm options show enable_nchw44")
def show_option(
    name: Annotated[str, typer.Argument(help="An option, in any spelling.")], json: args.Json = False
) -> None:
    """Everything farm knows of one option: flag, type, what it reads and writes, limits, traps."""
    row = option(name)
    if json:
        show_json(as_json(row))
        return
    lines = [
        (row.name, row.help),
        ("flag", f"--{row.flag}" if row.flag else "none: no program of 1.13 has it"),
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
