"""`farm dumps compare`: where two runs of a model part."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.analysis.dumps.diverged import sentence
from farm.cli import arguments as args
from farm.cli.dumps.sources import named
from farm.cli.dumps.tables import shown
from farm.cli.terminal.console import out, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.loop import run
from farm.cli.terminal.progress import Bar
from farm.errors import ExitCode, RequestError
from farm.inventory.values.checks import parse_tolerances
from farm.model.dumps import DumpComparison, Side
from farm.run.tensors.compare import How, compare_dumps

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm dumps compare plain/ nchw88/ fastrun/\n\n"
    "  farm dumps compare latest:arm-1/net/plain latest:arm-2/net/plain --check\n\n"
    "  farm dumps compare expected.npy dump/run0-var81 --tolerance float32=1e-2,1e-4 --json"
}


def command(
    *,
    reference: Annotated[
        str, typer.Argument(help="What the others are compared with: a file, a folder, or RUN:CELL.")
    ],
    dumps: Annotated[list[str], typer.Argument(help="One or more dumps.", metavar="DUMP...")],
    tolerance: args.Tolerances = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Exit code 1 where a tensor is beyond the tolerance, 5 if none compares."
        ),
    ] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Show every tensor.")] = False,
    jobs: Annotated[
        int | None, typer.Option(help="Processes that compare. Default: one per core.", metavar="N", min=1)
    ] = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Compare dumped tensors with a reference, and name the first operator that diverges."""
    stated = parse_tolerances(tolerance or ())
    names = [named(text, runs_dir) for text in (reference, *dumps)]
    if not all(text for text, _ in names):
        raise RequestError("a dump without a name", hint="give a file, a folder, or RUN:CELL")
    with Bar() as bar:
        cores = len(os.sched_getaffinity(0))
        workers = min(jobs or cores, cores)
        how = How(stated, workers, lambda label, done, total: bar.update(f"comparing {label}", done, total))
        found = run(compare_dumps(names[0], names[1:], how))
    code = _code(found) if check else ExitCode.OK
    if json:
        show_json(as_json(found) | {"exit_code": code})
    else:
        for one in shown(found, show_all=show_all):
            out.print(one)
        if code == ExitCode.REGRESSION:
            say("wrong outputs: tensors are beyond the tolerance", "red")
    raise typer.Exit(code)


def _code(found: DumpComparison) -> ExitCode:
    if any(one.beyond for one in found.sides):
        return ExitCode.REGRESSION
    return ExitCode.OK if all(one.compared for one in found.sides) else ExitCode.UNDECIDED


def as_json(found: DumpComparison) -> dict[str, Any]:
    """For scripts: every pair, in the order of the graph."""
    return {
        "reference": found.reference,
        "findings": list(found.findings),
        "sides": [_side(one) for one in found.sides],
    }


def _side(side: Side) -> dict[str, Any]:
    counts = {"compared": side.compared, "beyond": side.beyond, "sentence": sentence(side)}
    first = side.first_diverging
    return asdict(side) | counts | {"first": asdict(first) if first else None}
