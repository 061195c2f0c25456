"""`farm runs show`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from farm.cli import arguments as args
from farm.cli.bench.outputs import outputs_lines
from farm.cli.terminal.comparisons import summary
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.results import doubts_of, results_table
from farm.cli.typed import hint_line
from farm.model.run import RunStatus
from farm.report.parts.environment import outages_of, restarts_of
from farm.store.codec import results_to_dict
from farm.store.runs import find_run

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm runs show latest\n\n  farm runs show 20261123-101500-ab12 --json"
}


def command(run: args.Run, runs_dir: args.RunsDir = Path("runs"), json: args.Json = False) -> None:
    """Show one run's matrix, failures and files."""
    directory = find_run(runs_dir, run)
    results = directory.results()
    if json:
        show_json(results_to_dict(results))
        return
    out.print(
        plain(f"{results.run_id}: {results.status}, {results.started_at} to {results.ended_at or '...'}")
    )
    if results.resumed:
        out.print(plain(f"resumed: {', '.join(results.resumed)}"))
    for loss in results.losses:
        out.print(plain(f"not all is here: {loss}"))
    out.print(results_table(results))
    for doubt in doubts_of(results):
        out.print(plain(doubt, "yellow"))
    for line in summary(results):
        out.print(line)
    for device in results.devices:
        if restarts := restarts_of(device):
            out.print(plain(f"{device.name}: restarts, and what was done again: {restarts}"))
        if outages := outages_of(device):
            out.print(plain(f"{device.name}: connection lost {outages}"))
    for told in outputs_lines(results):
        out.print(plain(told))
    for cell in results.cells:
        if cell.error or cell.reason:
            out.print(plain(f"{cell.id}: {cell.status}: {cell.error or cell.reason}"))
            if cell.hint:
                out.print(plain(hint_line(cell.hint)))
    if results.status is RunStatus.INTERRUPTED:
        out.print(plain(hint_line(f"farm runs resume {results.run_id}")))
    out.print(plain(f"files: {directory.path}"))
