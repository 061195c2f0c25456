"""`farm runs resume`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.bench import is_wheel_of_any_use, measure
from farm.cli.bench.finish import finish
from farm.cli.terminal.console import say
from farm.cli.terminal.progress import Bar
from farm.compare.outcome import exit_code
from farm.errors import ExitCode, RequestError
from farm.model.matrix import Plan
from farm.model.run import CellStatus, Results, RoundStatus
from farm.plan.prepare import prepare
from farm.run.context import Around
from farm.run.measure.against import against
from farm.run.record import is_of_device
from farm.run.resume.same import same_plan
from farm.store.cache.products import product_store
from farm.store.resume.asked import Asked, read_asked
from farm.store.runs import RunDirectory, find_run

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm runs resume latest\n\n"
    "  farm runs resume nightly-2026-11-23 --wait 600 --json"
}


def command(
    run: args.Run,
    runs_dir: args.RunsDir = Path("runs"),
    wait: args.Wait = 0,
    json: args.Json = False,
) -> None:
    """Go on with a run that was interrupted: by Ctrl-C, a kill, a power cut.

    Rounds that are measured are kept, one that ended on its device meanwhile is taken, and what is missing is
    measured; cells that failed because of their device or the network are tried again. The same request is
    read again, in the folder where it was made: where a model, an input, a program or the device is not the
    same any more, it is refused.
    """
    directory = find_run(runs_dir.absolute(), run)
    asked = read_asked(directory.path)
    directory.require_ended()
    before = directory.results()
    if is_complete(directory, before):
        say(f"nothing is left of {directory.run_id}: all that can be measured is")
        finish(directory, before, json=json)
        raise typer.Exit(exit_code(before))
    with _in_folder(asked.folder):
        results, is_reported = resumed(directory, before, asked, wait_s=wait, json=json)
    raise typer.Exit(exit_code(results) or (ExitCode.OK if is_reported else ExitCode.CELLS_FAILED))


def is_complete(directory: RunDirectory, before: Results) -> bool:
    """Whether a run came to its end, and no cell of it could be gone on with."""
    open_cells = [
        cell
        for cell in before.cells
        if cell.status is CellStatus.CANCELLED
        or (is_of_device(cell) and not any(one.status is RoundStatus.FAILED for one in cell.rounds))
    ]
    return not open_cells and (directory.path / "results.json").is_file()


def resumed(
    directory: RunDirectory, before: Results, asked: Asked, *, wait_s: float, json: bool
) -> tuple[Results, bool]:
    """Make the plan again, and measure what is left of it. Raises RequestError where it is another plan."""
    planned = directory.planned()
    earlier = next((one.run for one in planned.earlier), None)
    request = replace(asked.request, baseline=earlier)  # the run that was meant then, whatever is newest now
    with Bar() as bar:
        prepared = prepare(request, bar.update, fetch=True, of_use=is_wheel_of_any_use)
    plan = against(prepared.plan, request, directory.path.parent, product_store())
    plan = same_plan(plan, planned, before)
    say(_told(plan, before))
    deadlines = replace(asked.deadlines, lease_wait_s=wait_s or asked.deadlines.lease_wait_s)
    around = Around(prepared.inventory, prepared.runtime, deadlines, asked.cooldown, is_resumed=True)
    return measure(plan, directory, around, partial(finish, directory, json=json))


def _told(plan: Plan, before: Results) -> str:
    rounds = sum(len(cell.rounds) for cell in before.cells)
    done = {cell.id for cell in before.cells if cell.status is CellStatus.COMPLETED}
    left = sum(cell.id not in done for cell in plan.cells)
    what = f"{left} of {len(plan.cells)} cells are not complete, {rounds} rounds are kept"
    return f"goes on with {before.run_id}: {what}"


@contextlib.contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    """Where the run was started, so that relative paths mean the same. Raises RequestError."""
    here = Path.cwd()
    try:
        os.chdir(folder)
    except OSError as error:
        raise RequestError(
            f"the run was started in {folder}, which cannot be entered: {error.strerror or error}",
            hint="the paths of its models and its inventory begin there: put it back, or measure anew",
        ) from error
    try:
        yield
    finally:
        os.chdir(here)
