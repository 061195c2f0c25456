"""Chrome's trace format, which Perfetto and speedscope open: each cell a process, all aligned at 0.

Source: "Trace Event Format" (the JSON object format). Times are in microseconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any, TypeAlias

from farm.dumps.malformed import MalformedError
from farm.dumps.profile import read_profile
from farm.export.cells import Named, named, safe
from farm.logs.telemetry import parse_telemetry
from farm.model.artifact import Produced
from farm.model.matrix import RoundKind
from farm.model.run import Results, RoundResult

ReadText: TypeAlias = Callable[[Produced], str | None]
"""The text of a file of the run; None where it is gone, or larger than it may be."""

Event: TypeAlias = dict[str, Any]

ROUNDS, OPERATORS = 1, 2
"""Threads of a process."""

MOST_ITERATIONS = 200_000
"""Of all cells together; in a run with more, a round is one slice without its iterations."""
MOST_TELEMETRY = 2_000
"""Rounds whose telemetry is read; those after them have its summary."""

US_IN_MS = 1e3
US_IN_S = 1e6


def chrome_trace(results: Results, read_text: ReadText) -> str:
    """Cells of one device and model are neighbours. In a process: the rounds one after the other, made of
    loading, warm-up and iterations; temperatures and frequencies as counters; and from 0 on, in the order in
    which they ran, the operators of its profile.
    """
    cells = sorted(named(results), key=lambda one: (one.model, one.device))  # stable: variants as planned
    total = sum(len(result.e2e_ms) for one in cells for result in one.counted)
    trace = _Trace(read_text, with_iterations=total <= MOST_ITERATIONS)
    events = [event for pid, one in enumerate(cells, start=1) for event in trace.cell(pid, one)]
    other = {"run": safe(results.run_id), "farm": safe(results.farm_version), "left out": trace.left_out}
    whole = {"displayTimeUnit": "ms", "otherData": other, "traceEvents": events}
    return json.dumps(whole, separators=(",", ":"), allow_nan=False) + "\n"


class _Trace:
    """`left_out` names what is not in the trace."""

    def __init__(self, read_text: ReadText, *, with_iterations: bool) -> None:
        self._read_text = read_text
        self._with_iterations = with_iterations
        self._telemetry_left = MOST_TELEMETRY
        self.left_out: list[str] = [] if with_iterations else ["iterations: there are too many"]

    def cell(self, pid: int, one: Named) -> Iterator[Event]:
        yield _name("process_name", pid, 0, one.id)
        yield {"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": pid}}
        yield _name("thread_name", pid, ROUNDS, "rounds")
        at_us = 0.0
        for result in one.counted:
            end_us = at_us
            for event in self._round(pid, result, at_us):
                end_us = max(end_us, event.get("ts", 0.0) + event.get("dur", 0.0))
                yield event
            yield from self._counters(pid, result, at_us, end_us)
            at_us = end_us
        for result in one.cell.rounds:
            if result.kind is RoundKind.PROFILE:
                for produced in result.artifacts:
                    if produced.role == "profile":
                        yield from self._operators(pid, one, produced)
                        return

    def _round(self, pid: int, result: RoundResult, at_us: float) -> Iterator[Event]:
        """The round as a slice, and its parts within that: numbered, as speedscope makes one of neighbours of
        one name.
        """
        parts = [("load", result.load_ms), ("prepare", result.prepare_ms)]
        parts += [(f"warm-up {number}", one) for number, one in enumerate(result.warmup_ms, 1)]
        parts += [(f"iteration {number}", one) for number, one in enumerate(result.e2e_ms, 1)]
        known = [(name, one) for name, one in parts if one is not None and one >= 0 and math.isfinite(one)]
        name = f"{result.phase} round {result.index + 1}"
        total_us = math.fsum(one for _, one in known) * US_IN_MS
        args = {"value ms": result.value_ms, "quality": str(result.quality), "attempt": result.attempt}
        yield _slice(pid, ROUNDS, name, (at_us, total_us), args)
        if self._with_iterations:
            for part, value_ms in known:
                yield _slice(pid, ROUNDS, part, (at_us, value_ms * US_IN_MS), {})
                at_us += value_ms * US_IN_MS

    def _counters(self, pid: int, result: RoundResult, from_us: float, to_us: float) -> Iterator[Event]:
        """What the device said in the round, whose end is the last sample's time; else its summary."""
        found = next((one for one in result.artifacts if one.role == "telemetry"), None)
        if found is not None and self._telemetry_left > 0:
            self._telemetry_left -= 1
            samples = parse_telemetry(self._read_text(found) or "")
            for sample in samples:
                at_us = to_us - (samples[-1].at_s - sample.at_s) * US_IN_S
                if from_us <= at_us <= to_us:
                    yield from _counted(pid, at_us, sample.temperatures_c, sample.frequencies_khz)
            if samples:
                return
        told = result.telemetry
        if told is not None:
            cores = [(core.core, core.median_khz) for core in told.frequencies]
            yield from _counted(
                pid, from_us, [(zone.name, zone.start_c) for zone in told.temperatures], cores
            )
            yield from _counted(pid, to_us, [(zone.name, zone.end_c) for zone in told.temperatures], cores)

    def _operators(self, pid: int, one: Named, produced: Produced) -> Iterator[Event]:
        text = self._read_text(produced)
        if text is None:
            self.left_out.append(f"operators of {one.id}: the profile is gone or too large")
            return
        try:
            operators = read_profile(BytesIO(text.encode())).operators
        except MalformedError as error:
            self.left_out.append(safe(f"operators of {one.id}: {error}"))
            return
        yield _name("thread_name", pid, OPERATORS, "operators, in order (profile)")
        at_us = 0.0
        for operator in operators:
            args: dict[str, Any] = {
                "type": safe(operator.type),
                "name": safe(operator.name),
                "inputs": str(operator.input_shapes),
                "outputs": str(operator.output_shapes),
                "host ms": operator.host_ms,
                "memory bytes": operator.memory_bytes,
                "computation": operator.computation,
                "algorithm": operator.algorithm and safe(operator.algorithm),
            }
            length_us = operator.device_ms * US_IN_MS
            yield _slice(pid, OPERATORS, safe(operator.name or operator.type), (at_us, length_us), args)
            at_us += length_us


def _slice(pid: int, tid: int, name: str, span_us: tuple[float, float], args: dict[str, Any]) -> Event:
    begin, length = span_us
    event: Event = {"ph": "X", "name": name, "pid": pid, "tid": tid, "ts": round(begin, 3)}
    known = {
        key: value
        for key, value in args.items()
        if value is not None and (not isinstance(value, float) or math.isfinite(value))
    }
    return event | {"dur": round(length, 3), "cat": "farm"} | ({"args": known} if known else {})


def _counted(
    pid: int,
    at_us: float,
    temperatures_c: Iterable[tuple[str, float]],
    frequencies_khz: Iterable[tuple[int, int]],
) -> Iterator[Event]:
    for name, value_c in temperatures_c:
        if math.isfinite(value_c):
            yield _counter(pid, f"{safe(name)}, C", at_us, value_c)
    for core, khz in frequencies_khz:
        yield _counter(pid, f"core {core}, MHz", at_us, khz / 1e3)


def _counter(pid: int, name: str, at_us: float, value: float) -> Event:
    return {"ph": "C", "name": name, "pid": pid, "tid": 0, "ts": round(at_us, 3), "args": {"value": value}}


def _name(kind: str, pid: int, tid: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": {"name": name}}
