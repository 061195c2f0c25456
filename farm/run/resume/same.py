"""Whether a plan that was made again is the plan of the run that it is to go on with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from farm.errors import RequestError
from farm.model.matrix import Cell, Plan
from farm.model.run import CellResult, CellStatus, Results
from farm.run.planned import Origin, hider_of, kept_plan

MOST_NAMED = 5
WHAT = {
    "model_sha256": "the model",
    "input_sha256": "the input",
    "options_sha256": "the options or a file of them",
}
"""What a digest of a cell is of."""


def same_plan(plan: Plan, planned: Results, before: Results) -> Plan:
    """The part of a plan that a run has. `planned` is the run's own plan, `before` what it has measured.

    What the request would mean today and did not mean then (a new device of a group) is left out. Raises
    RequestError where a cell that is not complete is not the same any more, with the reasons.
    """
    now = {cell.id: cell for cell in plan.cells}
    told = {one.id: one for one in kept_plan(planned.run_id, plan, Origin("", (), ""), hider_of(plan)).cells}
    done = {cell.id for cell in before.cells if cell.status is CellStatus.COMPLETED}
    wanted = [cell for cell in planned.cells if cell.status is not CellStatus.SKIPPED]
    wrong = [why for cell in wanted if cell.id not in done for why in _changes(cell, told.get(cell.id), now)]
    if wrong:
        more = len(wrong) - MOST_NAMED
        raise RequestError(
            f"run {planned.run_id} cannot be resumed, since what it measures is not the same any more: "
            f"{'; '.join(wrong[:MOST_NAMED])}{f'; and {more} more' if more > 0 else ''}",
            hint="put back what it was, or measure anew: farm bench",
        )
    ids, names = {cell.id for cell in wanted}, {device.name for device in planned.devices}
    return replace(
        plan,
        cells=tuple(cell for key, cell in now.items() if key in ids),
        devices=tuple(device for device in plan.devices if device.name in names),
        skips=(),
        duels=planned.duels,
        earlier=planned.earlier,
    )


def _changes(was: CellResult, told: CellResult | None, now: dict[str, Cell]) -> Iterator[str]:
    """Why a cell is not what it was."""
    if told is None or was.id not in now:
        reason = f": {told.reason}" if told is not None and told.reason else ""
        yield f"{was.id} is not planned any more{reason}"
        return
    for name, what in WHAT.items():
        if (before := getattr(was, name)) is not None and before != getattr(told, name):
            yield f"{what} of {was.id} changed"
