"""What a run is now, from the events of its journal so far. Pure."""

from __future__ import annotations

import shlex
import statistics
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from farm.analysis.quality import last_attempts
from farm.analysis.summary import is_counted, of_deciding_phase
from farm.model.comparison import Phase
from farm.model.matrix import RoundKind
from farm.model.run import CellResult, CellStatus, DeviceStatus, Results, RunStatus
from farm.plan.estimate import span
from farm.serve.nouns import CellNow, DeviceNow, RunNow, Told
from farm.store.progress import Progress
from farm.visible import one_line, visible

NEWEST = 12
"""Values of rounds that are shown of a cell."""
LONGEST = 400


class Heat(NamedTuple):
    """Of the hottest sensor of a device, at the end of its last round."""

    heat_c: float
    sensor: str


def run_now(
    run_id: str, progress: Progress, last: Mapping[str, Told], heat: Mapping[str, Heat], *, goes_on: bool
) -> RunNow:
    """`last` and `heat` by device. A run that nobody ended and nobody writes is `interrupted`."""
    frame = progress.frame
    rounds = _planned(progress)
    cells = tuple(_cell(progress, planned, rounds[planned.id]) for planned in progress.planned())
    of_device: dict[str, list[tuple[str, CellNow]]] = defaultdict(list)
    for planned, cell in zip(progress.planned(), cells, strict=True):
        of_device[planned.device].append((planned.id, cell))
    goes_on = goes_on and frame.status is RunStatus.RUNNING
    status = RunStatus.INTERRUPTED if frame.status is RunStatus.RUNNING and not goes_on else frame.status
    return RunNow(
        run_id,
        status,
        goes_on,
        visible(frame.started_at),
        None if frame.ended_at is None else visible(frame.ended_at),
        one_line(shlex.join(frame.command), LONGEST),
        cells,
        tuple(
            _device(progress, name, of_device[name], last.get(name), heat.get(name))
            for name in progress.devices()
        ),
    )


def _planned(progress: Progress) -> Mapping[str, int]:
    """Timed rounds by cell, as far as it is decided how many there will be."""
    frame: Results = progress.frame
    screen = frame.sampling.rounds if frame.sampling else frame.rounds
    found = {cell.id: screen for cell in progress.planned()}
    for name in progress.devices():
        plans = [plan for phase in Phase if (plan := progress.phase(name, phase))]
        for allotment in (one for plan in plans for one in plan.allotments):
            for cell in allotment.cells:
                if cell in found:
                    found[cell] += allotment.rounds
    return found


def _cell(progress: Progress, planned: CellResult, rounds: int) -> CellNow:
    end, measured = progress.end(planned.id), progress.rounds(planned.id)
    counted = [one for one in last_attempts(measured) if is_counted(one)]
    values = [one.value_ms for one in of_deciding_phase(counted) if one.value_ms is not None]
    why = (end.error or end.reason) if end else None
    return CellNow(
        visible(planned.device),
        visible(planned.model),
        visible(planned.column),
        str(end.status) if end else "measuring" if measured else "waiting",
        len(counted),
        rounds,
        len(measured) - len(counted),
        statistics.median(values) if values else None,
        tuple(values[-NEWEST:]),
        one_line(why, LONGEST) if why else None,
        one_line(end.hint, LONGEST) if end and end.hint else None,
    )


def _device(
    progress: Progress, name: str, cells: list[tuple[str, CellNow]], last: Told | None, heat: Heat | None
) -> DeviceNow:
    record = progress.device(name)
    is_running = progress.frame.status is RunStatus.RUNNING
    is_open = is_running and any(not progress.is_closed(cell) for cell, _ in cells)
    shown = [cell for _, cell in cells if cell.state != CellStatus.SKIPPED]
    done = sum(min(cell.rounds, cell.planned) for cell in shown)
    total = sum(cell.planned if cell.state in ("waiting", "measuring") else cell.rounds for cell in shown)
    failed = sum(cell.state == CellStatus.FAILED for cell in shown)
    if record.status is DeviceStatus.FAILED:
        state = f"failed: {one_line(record.error or 'no reason is known', LONGEST)}"
    elif not is_open:
        state = f"done, {failed} of {len(cells)} cells failed" if failed else "done"
    else:
        state = "measuring" if last else "connecting, pushing files or waiting for the device"
    return DeviceNow(
        visible(name),
        visible(record.address),
        state,
        done,
        max(total, done),
        _left(progress, cells) if is_open else None,
        last.text if last else "",
        last.at_s if last else None,
        heat.heat_c if heat else None,
        heat.sensor if heat else None,
        is_open,
    )


def _left(progress: Progress, cells: list[tuple[str, CellNow]]) -> str | None:
    """In words; of the timed rounds that are planned by now."""
    times: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    for key, cell in cells:
        if progress.is_closed(key):
            continue
        taken = (one for one in progress.rounds(key) if one.kind is RoundKind.TIMED)
        times[key] = [one.wall_s + (one.waited_s or 0.0) for one in taken if one.wall_s is not None]
        counts[key] = max(0, cell.planned - cell.rounds)
    found = span(times, counts)
    return found.text if found and any(counts.values()) else None
