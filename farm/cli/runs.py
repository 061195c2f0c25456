"""`farm runs`: what was run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from farm.cli import arguments as args
from farm.cli.console import out, plain, show_json
from farm.cli.matrix import results_table, simple_table
from farm.errors import RequestError
from farm.store.codec import results_to_dict
from farm.store.runs import all_runs, find_run

app = typer.Typer(help="List and show runs.", no_args_is_help=True)

Run = Annotated[str, typer.Argument(help="A run's id, its folder, or `latest`.")]


@app.command("list", epilog="Examples:\n\n  farm runs list\n\n  farm runs list --runs-dir /data/runs --json")
def list_runs(runs_dir: args.RunsDir = Path("runs"), json: args.Json = False) -> None:
    """List runs, oldest first."""
    rows = []
    for run in all_runs(runs_dir):
        try:
            results = run.results()
        except RequestError as error:
            rows.append((run.run_id, "unreadable", "", "", error.message))
            continue
        counts = Counter(cell.status.value for cell in results.cells)
        cells = ", ".join(f"{count} {status}" for status, count in counts.items())
        started = results.started_at[:16].replace("T", " ")
        rows.append((run.run_id, results.status, started, str(len(results.devices)), cells))
    if json:
        keys = ("run_id", "status", "started_at", "devices", "cells")
        show_json([dict(zip(keys, row, strict=True)) for row in rows])
    elif rows:
        out.print(simple_table(("run", "status", "started (UTC)", "devices", "cells"), rows))
    else:
        out.print(plain(f"no runs in {runs_dir}; `farm bench` makes one"))


@app.command(
    "show", epilog="Examples:\n\n  farm runs show latest\n\n  farm runs show 20261123-101500-ab12 --json"
)
def show_run(run: Run, runs_dir: args.RunsDir = Path("runs"), json: args.Json = False) -> None:
    """Show one run's matrix, failures and files."""
    directory = find_run(runs_dir, run)
    results = directory.results()
    if json:
        show_json(results_to_dict(results))
        return
    out.print(
        plain(f"{results.run_id}: {results.status}, {results.started_at} to {results.ended_at or '...'}")
    )
    out.print(results_table(results))
    for cell in results.cells:
        if cell.error or cell.reason:
            out.print(
                plain(
                    f"{cell.device}/{cell.model}/{cell.variant}: {cell.status}: {cell.error or cell.reason}"
                )
            )
            if cell.hint:
                out.print(plain(f"  try: {cell.hint}"))
    out.print(plain(f"files: {directory.path}"))
