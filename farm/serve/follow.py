"""One run, followed in its journal: also of another process, also one that is over."""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from farm.errors import RequestError
from farm.model.journal import (
    CellEnded,
    DeviceChanged,
    Event,
    FarmFault,
    OutputsCompared,
    PhasePlanned,
    Prepared,
    Resumed,
    RoundEnded,
    RunEnded,
)
from farm.model.outputs import OutputVerdict
from farm.model.run import CellStatus, DeviceRecord, Results, RoundResult, RoundStatus
from farm.report.numerals import count, moment
from farm.serve.nouns import RunNow, Told
from farm.serve.progress import Heat, run_now
from farm.store.codec import results_from_json
from farm.store.journal import JOURNAL
from farm.store.progress import Progress
from farm.store.rebuild import PLAN
from farm.store.tail import Piece, Tail
from farm.visible import one_line

MOST_PLAN_BYTES = 32 << 20
"""Of run.json: some 20,000 cells."""
MOST_ROUNDS = 100_000
"""That are kept of one run; later ones are counted only. With one such run the server has 320 MB."""
MOST_TOLD = 200
LONGEST = 400
LONGEST_S = 30 * 86_400.0
"""Of a round: a journal may say anything."""
PIECES_AT_ONCE = 2
"""So that one journal of a gigabyte does not keep the others waiting."""

UNUSABLE = (OSError, ValueError, ArithmeticError, RecursionError, MemoryError, RequestError)
"""What files may be that hold anything, and numbers in them."""


class Follower:
    """For several threads: one at a time looks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._tail = Tail(folder / JOURNAL)
        self._has_writer = False
        self._clear()

    def _clear(self) -> None:
        self._progress: Progress | None = None
        self._labels: dict[str, tuple[str, str]] = {}
        self._seen: RunNow | None = None
        self._told: deque[Told] = deque(maxlen=MOST_TOLD)
        self._heat: dict[str, Heat] = {}
        self._last: dict[str, Told] = {}
        self._rounds = self._more_rounds = self._left_out = self._numbers = 0

    def look(self) -> RunNow:
        """What the run is now, as far as it was read. Never raises for what a folder holds."""
        with self._guard:
            try:
                return self._now(self._read())
            except UNUSABLE as error:
                why = error.strerror if isinstance(error, OSError) else str(error)
                problem = one_line(str(why).replace(str(self._folder), self._folder.name), LONGEST)
                return RunNow(self._folder.name, "unreadable", goes_on=False, problem=problem)

    def _read(self) -> Piece:
        piece = self._one()
        for _ in range(PIECES_AT_ONCE - 1):
            if not piece.behind_bytes:
                break
            piece = self._one()
        return piece

    def _one(self) -> Piece:
        piece = self._tail.read()
        if piece.is_anew or self._progress is None:
            self._clear()
            plan = _plan(self._folder)
            self._labels = {cell.id: (cell.device, f"{cell.model}/{cell.column}") for cell in plan.cells}
            self._progress = Progress(plan)
        self._left_out += piece.left_out
        if piece.events or piece.left_out:
            self._seen = None
        for event in piece.events:
            try:
                self._apply(self._progress, event)
            except KeyError:  # a cell or a device that is not in the plan
                self._left_out += 1
        return piece

    def _apply(self, progress: Progress, event: Event) -> None:
        match event:
            case RoundEnded(cell=cell, round=result):
                device, label = self._labels[cell]
                self._rounds += 1
                self._remember(device, label, result)
                if self._rounds > MOST_ROUNDS:
                    self._more_rounds += 1
                    return
                progress.apply(replace(event, round=_slim(result)))
            case Prepared(preparations=made):
                slim = (replace(one, round=_slim(one.round) if one.round else None) for one in made)
                progress.apply(replace(event, preparations=tuple(slim)))
            case DeviceChanged(device=device):
                self._tell(_changes(progress.device(device.name), device))
                progress.apply(replace(event, device=replace(device, facts=None, ceilings=())))
            case OutputsCompared(checks=checks):
                wrong = [one.cell for one in checks if one.verdict is OutputVerdict.WRONG]
                self._tell(Told(f"{cell}: wrong outputs", is_bad=True) for cell in wrong)
            case _:
                progress.apply(event)
                self._tell(_words(event))

    def _remember(self, device: str, label: str, result: RoundResult) -> None:
        ended_s = _ended_s(result)
        text = f"{result.kind}-{result.index + 1} of {label}"
        if result.status is not RoundStatus.COMPLETED:
            text += " failed"
            self._tell([Told(f"{device}: {text}: {result.error}", is_bad=True, at_s=ended_s)])
        self._last[device] = Told(one_line(text, LONGEST), at_s=ended_s)
        zones = result.telemetry.temperatures if result.telemetry else ()
        hottest = max(zones, key=lambda zone: zone.end_c, default=None)
        if hottest is not None:
            self._heat[device] = Heat(hottest.end_c, one_line(hottest.name, 60))

    def _tell(self, told: Iterable[Told]) -> None:
        for one in told:
            self._numbers += 1
            self._told.append(replace(one, text=one_line(one.text, LONGEST), number=self._numbers))

    def _now(self, piece: Piece) -> RunNow:
        assert self._progress is not None, "a piece was read"
        if self._seen is None or self._has_writer is not piece.has_writer:
            self._has_writer = piece.has_writer
            self._seen = run_now(
                self._folder.name, self._progress, self._last, self._heat, goes_on=piece.has_writer
            )
        return replace(
            self._seen,
            told=tuple(reversed(self._told)),
            behind_bytes=piece.behind_bytes,
            left_out=self._left_out,
            more_rounds=self._more_rounds,
        )


def _plan(folder: Path) -> Results:
    path = folder / PLAN
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise RequestError(f"{PLAN} is no file")
        data = stream.read(MOST_PLAN_BYTES + 1)
    if len(data) > MOST_PLAN_BYTES:
        raise RequestError(f"{PLAN} has more than {MOST_PLAN_BYTES >> 20} MiB")
    return results_from_json(data, PLAN)


def _slim(result: RoundResult) -> RoundResult:
    """Without what no page shows: times of iterations are nearly all of it. One stays, as a sign that there
    were some.
    """
    return replace(
        result,
        argv=(),
        warmup_ms=(),
        e2e_ms=result.e2e_ms[:1],
        host_ms=(),
        tensors=(),
        notes=(),
        artifacts=(),
        telemetry=None,
        error=one_line(result.error, LONGEST) if result.error else None,
    )


def _ended_s(result: RoundResult) -> float | None:
    began = moment(result.started_at)
    took_s = result.wall_s if result.wall_s is not None and 0 <= result.wall_s < LONGEST_S else 0.0
    return began.timestamp() + took_s if began else None


def _changes(before: DeviceRecord, now: DeviceRecord) -> Iterable[Told]:
    for restart in now.restarts[len(before.restarts) :]:
        yield Told(f"{now.name}: restarted during {restart.during}", is_bad=True, at_s=_at_s(restart.at))
    for outage in now.outages[len(before.outages) :]:
        state = f"for {outage.lasted_s:.0f} s" if outage.is_over else "for good"
        yield Told(f"{now.name}: out of reach {state}, during {outage.during}", True, _at_s(outage.at))
    if now.error and now.error != before.error:
        yield Told(f"{now.name}: {now.error}", is_bad=True)


def _words(event: Event) -> Iterable[Told]:
    match event:
        case CellEnded(status=CellStatus.FAILED, error=error, hint=hint):
            yield Told(f"{event.cell}: {error}" + (f"; try: {hint}" if hint else ""), is_bad=True)
        case CellEnded(status=status, reason=reason):
            yield Told(f"{event.cell}: {status}" + (f": {reason}" if reason else ""))
        case FarmFault():
            yield Told(f"{event.device}: a mistake of farm: {event.error}", is_bad=True)
        case Resumed():
            yield Told("resumed by another process", at_s=_at_s(event.at))
        case RunEnded():
            yield Told(f"ended: {event.status}", at_s=_at_s(event.ended_at))
        case PhasePlanned(plan=plan):
            fresh = sum(one.rounds for one in plan.allotments)
            yield Told(f"{plan.device}: {plan.phase}: {count(fresh, 'fresh round')}")
        case _:
            pass


def _at_s(text: str) -> float | None:
    found = moment(text)
    return found.timestamp() if found else None
