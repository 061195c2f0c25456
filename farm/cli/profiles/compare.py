"""`farm profiles compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from farm.analysis.operators.align import aligned
from farm.analysis.operators.rounds import side
from farm.analysis.operators.views import LAYER_DEPTH
from farm.analysis.operators.waterfall import waterfall
from farm.cli import arguments as args
from farm.cli.profiles import tables
from farm.cli.profiles.grouping import By
from farm.cli.profiles.sources import sources
from farm.cli.profiles.values import comparison_json
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.errors import RequestError
from farm.store.profiles import Source

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm profiles compare old.json new.json\n\n"
    "  farm profiles compare latest:arm-1/resnet18/plain latest:arm-1/resnet18/nchw44\n\n"
    "  farm profiles compare 'latest:*/resnet18/plain' --by layer\n\n"
    "  farm profiles compare nightly-22:arm-1/m/v nightly-23:arm-1/m/v release:arm-1/m/v --json"
}

MOST_SIDES = 64
MOST_NAMED = 10
"""Unmatched operators of a side that are named, each in a line."""


def command(
    *,
    sides: Annotated[
        list[str],
        typer.Argument(
            help="Two or more: profile files, or RUN:CELL, where * is any text. The first is compared with.",
            metavar="A B",
        ),
    ],
    by: Annotated[By, typer.Option(help="A row per operator, type or layer.", metavar="WHAT")] = By.OPERATOR,
    depth: Annotated[
        int, typer.Option(help="With --by layer: parts of a name that make a layer.", min=1, metavar="N")
    ] = LAYER_DEPTH,
    top: Annotated[int, typer.Option(help="How many rows and bars; 0: all.", min=0, metavar="N")] = 10,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Compare operators of two or more profiles: ratios, and where a difference comes from.

    Operators are found by name, then by type and shapes, then by type and order. Only with three profiled
    rounds on each side can one be called changed (*): then the ranges of its times are far from each other.
    """
    named = _sources(sides, runs_dir)
    compared = aligned([side(one.name, by.of(one.profiles, depth), one.end_to_end_ms) for one in named])
    if json:
        show_json(comparison_json(compared, top))
        return
    for one in named:
        for problem in (*one.problems, *(text for profile in one.profiles for text in profile.problems)):
            say(f"{one.name}: {problem}", "yellow")
    for line in tables.legend(compared):
        out.print(plain(line))
    out.print(tables.ratios(compared, top, by.value))
    for place in range(1, len(named)):
        found = waterfall(compared, after=place, top=top or len(compared.rows))
        for line in tables.waterfall_heading(found):
            out.print(plain(line))
        out.print(tables.bars(found))
    for line in tables.unmatched(compared, MOST_NAMED):
        out.print(plain(line))


def _sources(sides: list[str], runs_dir: Path) -> list[Source]:
    """Those of all sides, at most MOST_SIDES: their operators are in memory together."""
    given = list(sides) if len(sides) <= MOST_SIDES else []
    found = [one for text in given for one in sources(text, runs_dir, MOST_SIDES)]
    number = len(found) or len(sides)
    if not 2 <= number <= MOST_SIDES or not found:
        raise RequestError(
            f"{number} profile{'s' if number != 1 else ''} to compare; name 2 to {MOST_SIDES}",
            hint="farm profiles compare old.json new.json",
        )
    return found
