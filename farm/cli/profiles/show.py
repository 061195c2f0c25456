"""`farm profiles show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from farm.analysis.operators.rounds import merged, side
from farm.analysis.operators.views import LAYER_DEPTH, by_layer, by_type
from farm.cli import arguments as args
from farm.cli.profiles import tables
from farm.cli.profiles.grouping import By
from farm.cli.profiles.sources import choose, is_file, profiled, sources
from farm.cli.profiles.values import profile_json, summary_json
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.errors import RequestError
from farm.model.operators import Ceilings
from farm.store.profiles import Profiled, of_cell
from farm.store.runs import RunDirectory, find_run

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm profiles show latest\n\n"
    "  farm profiles show latest arm-1/resnet18/nchw44 --by layer\n\n"
    "  farm profiles show p.json --ceilings 48,12.5 --top 10"
}


def command(
    *,
    run: Annotated[str, typer.Argument(help="A run's id, its folder, or `latest`; or a profile file.")],
    cell: Annotated[
        str | None, typer.Argument(help="A cell, device/model/variant. Default: all with profiles.")
    ] = None,
    by: Annotated[By, typer.Option(help="A row per operator, type or layer.", metavar="WHAT")] = By.OPERATOR,
    depth: Annotated[
        int, typer.Option(help="With --by layer: parts of a name that make a layer.", min=1, metavar="N")
    ] = LAYER_DEPTH,
    top: Annotated[int, typer.Option(help="How many rows; 0: all.", min=0, metavar="N")] = 20,
    ceilings: Annotated[
        str | None,
        typer.Option(
            help="What the device can do: GFLOP/s and GB/s, '48,12.5'. Default: as the run knows it.",
            metavar="G,B",
        ),
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="With host times, shapes and algorithms; for a wide terminal.")
    ] = False,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Show the operators of a profile: times, shares, rates, and what limits them.

    Of a cell with several profiled rounds: the medians, and from which to which time they go.
    """
    limits = _ceilings(ceilings)
    if cell is not None or not is_file(Path(run)):
        directory = find_run(runs_dir, run)
        cells = profiled(directory)
        if cell is None and len(cells) > 1:
            _list(directory, cells, run, json=json)
            return
        found = of_cell(directory, choose(cells, cell, run))
    else:
        (found,) = sources(run, runs_dir, 1)
    limits = limits or found.ceilings
    if json:
        show_json(profile_json(found, limits, depth))
        return
    for problem in found.problems:
        say(problem, "yellow")
    if limits:
        out.print(plain(tables.ceilings(limits)))
    profile = merged(found.profiles)
    for line in tables.heading(found, profile):
        out.print(plain(line))
    spans = side(found.name, by.of(found.profiles, depth)).operators
    match by:
        case By.OPERATOR:
            out.print(tables.operators(profile, top, limits, spans, wide=wide))
        case By.TYPE:
            out.print(tables.groups(by, by_type(profile)[: top or None], spans))
        case By.LAYER:
            out.print(tables.groups(by, by_layer(profile, depth)[: top or None], spans))


def _list(directory: RunDirectory, cells: tuple[Profiled, ...], run: str, *, json: bool) -> None:
    """A line per cell; their profiles are in memory one after the other."""
    rows = []
    for one in cells:
        try:
            rows.append(summary_json(one.cell.id, of_cell(directory, one)))
        except RequestError as error:
            rows.append({"cell": one.cell.id, "rounds": 0, "problems": [str(error)]})
    if json:
        show_json(rows)
        return
    out.print(tables.cells(rows))
    for row in rows:
        for problem in row["problems"]:
            say(f"{row['cell']}: {problem}", "yellow")
    say(f"add a cell to see its operators: farm profiles show {run} {cells[0].cell.id}", "dim")


def _ceilings(text: str | None) -> Ceilings | None:
    if text is None:
        return None
    try:
        gflops, gbps = (float(part) for part in text.split(","))
    except ValueError:
        gflops = gbps = 0.0
    if not (0 < gflops < float("inf") and 0 < gbps < float("inf")):
        raise RequestError(f"--ceilings {text!r} is not two numbers above 0", hint="--ceilings 48,12.5")
    return Ceilings(gflops, gbps, "given")
