"""`farm runs list`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from farm.cli import arguments as args
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.errors import RequestError
from farm.store.notes.tags import all_tags
from farm.store.runs import RunDirectory, all_runs

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm runs list\n\n  farm runs list --runs-dir /data/runs --json"
}


def command(runs_dir: args.RunsDir = Path("runs"), json: args.Json = False) -> None:
    """List runs, oldest first."""
    rows = []
    tags = _tags(runs_dir)
    for run in sorted(all_runs(runs_dir), key=RunDirectory.started):
        named = " ".join(tags.get(run.run_id, ()))
        try:
            results = run.results()
        except RequestError as error:
            rows.append((run.run_id, "unreadable", "", "", error.message, named))
            continue
        counts = Counter(cell.status.value for cell in results.cells)
        cells = ", ".join(f"{count} {status}" for status, count in counts.items())
        started = results.started_at[:16].replace("T", " ")
        rows.append((run.run_id, results.status, started, str(len(results.devices)), cells, named))
    if json:
        keys = ("run_id", "status", "started_at", "devices", "cells", "tags")
        show_json([dict(zip(keys, row, strict=True)) for row in rows])
    elif rows:
        shown = rows if tags else [row[:-1] for row in rows]
        out.print(
            simple_table(
                ("run", "status", "started (UTC)", "devices", "cells", "tags")[: len(shown[0])], shown
            )
        )
    else:
        out.print(plain(f"no runs in {runs_dir}; type: farm bench"))


def _tags(runs_dir: Path) -> dict[str, list[str]]:
    """By run. What cannot be read is told, and costs no list."""
    found: dict[str, list[str]] = {}
    try:
        for tag in all_tags(runs_dir):
            found.setdefault(tag.run, []).append(tag.name)
    except RequestError as error:
        say(str(error), "yellow")
    return found
