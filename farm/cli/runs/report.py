"""`farm report`: render a run's HTML again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.runs.output import write_output
from farm.cli.terminal.console import out, plain
from farm.report.compose import compose
from farm.report.render import render
from farm.report.write import more_of, write_report
from farm.store.runs import find_run

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm report latest\n\n  farm report 20261123-101500-ab12 --output release.html"
}


def command(
    run: args.Run,
    runs_dir: args.RunsDir = Path("runs"),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write. Default: report.html of the run.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Render a run's report from its results.json, and print its path.

    Of a run that was killed, or still goes on: from its journal.
    """
    directory = find_run(runs_dir, run)
    results = directory.results()
    if output is None:
        path = write_report(directory, results)
    else:
        path = output
        write_output(path, render(compose(results, more_of(directory, results))))
    out.print(plain(str(path)))
