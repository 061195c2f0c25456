"""`farm history`: a model's times over all runs, and where they changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.history.as_json import as_json
from farm.cli.history.as_text import lines
from farm.cli.history.database import Database, brought_up
from farm.cli.history.times import since_s
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.compare.amounts import fraction
from farm.errors import RequestError
from farm.history.database import opened
from farm.history.nouns import Reading
from farm.history.place import folder_of
from farm.history.query import Wanted, keys, series
from farm.history.reading import read
from farm.report.numerals import count
from farm.suggest import nearest

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm history shufflenet_v2\n\n"
    "  farm history 'resnet*' --device 'arm-*' --since 12w\n\n"
    "  farm history --changes --since 2026-09-01 --json"
}


def command(
    model: Annotated[
        str, typer.Argument(help="The model's name, or a pattern with * and ?. Default: all.")
    ] = "*",
    *,
    device: Annotated[str, typer.Option(help="Of these devices, a pattern.", metavar="PATTERN")] = "*",
    variant: Annotated[str, typer.Option(help="Of these variants, a pattern.", metavar="PATTERN")] = "*",
    build: Annotated[str, typer.Option(help="Of these builds, a pattern.", metavar="PATTERN")] = "*",
    since: Annotated[
        str | None,
        typer.Option(help="Runs since then: 2026-09-01, or so long ago: 36h, 30d, 12w, 1y.", metavar="TIME"),
    ] = None,
    changes: Annotated[
        bool, typer.Option("--changes", help="Only series that changed, or whose newest run is off.")
    ] = False,
    minimum_effect: args.MinimumEffect = "3%",
    database: Database = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Show a model's times over all runs, and where they changed.

    A change of level has its evidence: the runs on both sides, and what is known to have changed
    between them. It is no verdict: fresh pairs of one lease decide (`farm compare --confirm`).
    """
    wanted = Wanted(
        folder_of(runs_dir), model, device, variant, build, since_s("--since", since) if since else 0.0
    )
    least = _least(minimum_effect)
    where, made = brought_up(database, runs_dir)
    if not made.runs:
        show_json([]) if json else out.print(plain(f"no runs in {runs_dir}; type: farm bench"))
        return
    readings = _read(where, wanted, least)
    if changes:
        readings = (one for one in readings if one.changes or one.suspect)
    if json:
        show_json([as_json(one) for one in readings])
        return
    number = 0
    for one in readings:
        number += 1
        for line in lines(one):
            out.print(line)
    out.print(plain(f"{number} series" if number or not changes else "no series changed", "dim"))


def _read(where: str, wanted: Wanted, least: float) -> Iterator[Reading]:
    """One after the other: there may be very many. Raises RequestError where nothing has such names."""
    with opened(where) as connection:
        known = list(keys(connection, wanted.folder).values())
        if not any(map(wanted.takes, known)):
            names = {one.model for one in known}
            raise RequestError(
                f"no series of model {wanted.model}" + nearest(wanted.model, names)
                if wanted.model not in names
                else f"no series of {wanted.model} has such a device, variant and build",
                hint=f"farm history   ({count(len(known), 'cell')} of {count(len(names), 'model')} known)",
            )
        for one in series(connection, wanted):
            yield read(one, least)


def _least(text: str) -> float:
    try:
        return fraction(text)
    except ValueError as error:
        raise RequestError(f"--minimum-effect: {error}", hint="--minimum-effect 3%") from error
