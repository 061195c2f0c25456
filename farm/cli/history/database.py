"""Which database, and the runs that it is brought up to date with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from farm.cli.terminal.progress import Bar
from farm.history.index import Indexed, update
from farm.history.place import VARIABLE, database_of
from farm.store.sources import sources

Database = Annotated[
    str | None,
    typer.Option(
        help="The database of all runs: a file, or the URL of another one, as "
        "postgresql+psycopg://user@host/farm. Default: farm.db in the folder of the runs.",
        metavar="FILE|URL",
        envvar=VARIABLE,
    ),
]


def brought_up(database: str | None, runs_dir: Path, *, anew: bool = False) -> tuple[str, Indexed]:
    """Where the database is, and what became of its update with the runs of the folder."""
    where = database_of(runs_dir, database)
    found = sources(runs_dir)
    with Bar() as bar:
        made = update(
            where, runs_dir, found,
            lambda done, total: bar.update("reading runs", done, total) if total else None, anew=anew,
        )  # fmt: skip
    return where, made
