"""`farm runs list`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from farm.cli import arguments as args
from farm.cli.terminal.console import out, plain, show_json
from farm.cli.terminal.tables import simple_table
from farm.errors import RequestError
from farm.store.runs import all_runs

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm runs list\n\n  farm runs list --runs-dir /data/runs --json"
}


def command(runs_dir: args.RunsDir = Path("runs"), json: args.Json = False) -> None:
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
        out.print(plain(f"no runs in {runs_dir}; type: farm bench"))
