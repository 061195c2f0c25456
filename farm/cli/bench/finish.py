"""What a bench ends with: its report, and what is told of it."""

from __future__ import annotations

from pathlib import Path

from farm.cli.bench.failures import failures_of
from farm.cli.bench.outputs import outputs_lines
from farm.cli.bench.skips import skips_of
from farm.cli.terminal.comparisons import summary
from farm.cli.terminal.console import out, say, show_error
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.results import doubts_of, results_table
from farm.cli.typed import hint_line
from farm.errors import RunError
from farm.model.run import CellStatus, Results
from farm.report.parts.environment import outages_of, restarts_of
from farm.report.write import write_report as write
from farm.store.codec import results_to_dict
from farm.store.runs import RunDirectory


def write_report(directory: RunDirectory, results: Results) -> Path | None:
    """Where the report is; None, with the error shown, where it could not be written."""
    try:
        return write(directory, results)
    except RunError as error:
        show_error(error)
        return None


def finish(directory: RunDirectory, results: Results, *, json: bool) -> bool:
    """Write the report and print its path, which is the last line; False where it could not be written."""
    report = write_report(directory, results)
    if json:
        show_json(results_to_dict(results))
        return report is not None
    out.print(results_table(results))
    for doubt in doubts_of(results):
        say(doubt, "yellow")
    for told in summary(results):
        out.print(told)
    for device in results.devices:
        if device.pushed_files or device.reused_files:
            say(f"{device.name}: pushed {device.pushed_bytes:,} bytes in {device.pushed_files} files, "
                f"{device.reused_files} files already there", "dim")  # fmt: skip
        if restarts := restarts_of(device):
            say(f"{device.name}: restarts, and what was done again: {restarts}", "yellow")
        if outages := outages_of(device):
            say(f"{device.name}: connection lost {outages}", "yellow")
    for line in outputs_lines(results):
        say(line)
    skipped = (
        (cell.device, cell.model, cell.column, cell.reason or "no reason was kept")
        for cell in results.cells
        if cell.status is CellStatus.SKIPPED
    )
    for line in skips_of(skipped, "the report has them"):
        say(line)
    say_failures(results)
    written = directory.path / "results.json"
    say(f"results: {written if written.is_file() else 'not written'}")
    if not written.is_file():
        say(hint_line(f"make room, then farm runs resume {directory.run_id}"))
    say(f"report:  {report or 'not written'}")
    return report is not None


def say_failures(results: Results) -> None:
    """What failed, and what to type next."""
    for line, hint in failures_of(results):
        say(line, "red")
        if hint:
            say(hint_line(hint))
