"""`farm runs fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.bench.finish import finish
from farm.cli.fleet import store_options as fleet
from farm.cli.terminal.console import say
from farm.cli.terminal.loop import run as loop
from farm.cli.terminal.progress import Bar
from farm.compare.outcome import exit_code
from farm.errors import ExitCode
from farm.model.limits.deadlines import Deadlines

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm runs fetch nightly-2026-11-23 --wait 7200\n\n"
    "  farm runs fetch try-1 --store sqlite:///farm-store.db --json"}  # fmt: skip


def command(
    run: Annotated[str, typer.Argument(help="The id of a run that was submitted.")],
    store: fleet.StoreUrl = None,
    artifacts: fleet.Artifacts = None,
    runs_dir: args.RunsDir = Path("runs"),
    wait: Annotated[
        float,
        typer.Option(
            help="Seconds to wait until all its lanes are over.", metavar="S", min=0, callback=args.finite
        ),
    ] = 0.0,
    deadline: args.Deadline = None,
    json: args.Json = False,
) -> None:
    """Make a run directory of a run of the fleet, and its report.

    It is as one of `farm bench`, and all commands read it. The exit code is that of `farm bench`, too.
    """
    deadlines = with_deadlines(Deadlines(), deadline or ())
    with fleet.opened(store, deadlines) as opened:
        shelf = fleet.shelf_for(opened, artifacts)
        from farm.fleet.fetch import Wanted, fetch, wait_for

        with Bar() as bar:
            loop(wait_for(opened, run, wait, lambda done, total: bar.update("lanes", done, total)))
        with Bar() as bar:
            told = lambda done, total: bar.update("files", done, total)  # noqa: E731
            wanted = Wanted(run, runs_dir, say, told, deadlines)
            directory, results = loop(fetch(opened, shelf, wanted))
    is_reported = finish(directory, results, json=json)
    raise typer.Exit(exit_code(results) or (ExitCode.OK if is_reported else ExitCode.CELLS_FAILED))
