"""`farm runs index`: the database of all runs, brought up to date with their folders."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.history.database import Database, brought_up
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.history.database import shown
from farm.report.numerals import count

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm runs index\n\n"
    "  farm runs index --anew\n\n"
    "  farm runs index --database postgresql+psycopg://farm@db.lab/farm"
}


def command(
    *,
    anew: Annotated[
        bool, typer.Option("--anew", help="Read every run again, also those that did not change.")
    ] = False,
    database: Database = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Bring the database of all runs up to date with their folders.

    It is never the only copy: remove it, and this makes it again. `farm history` does it by itself.
    """
    where, made = brought_up(database, runs_dir, anew=anew)
    if json:
        show_json({"database": shown(where)} | asdict(made))
        return
    out.print(
        plain(
            f"{shown(where)}: {count(made.runs, 'run')}, {made.series} series, {count(made.points, 'point')}"
        )
    )
    told = [f"{count(made.read, 'run')} read now"]
    if made.removed:
        told.append(f"{count(made.removed, 'run')} forgotten: no folder any more")
    if made.unreadable:
        told.append(f"{count(made.unreadable, 'run')} cannot be read: farm runs list says why")
    out.print(plain("; ".join(told)))
