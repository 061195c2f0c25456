"""Operators under the ceilings of their device.

After Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures", Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from farm.report.figures.scales import Scale, axis, decades, plain
from farm.report.figures.thin import name_of
from farm.report.figures.view import Point, Roofline, RooflinePoint
from farm.report.numerals import count

MOST_OPERATORS = 1500
NUMBERED = 5
"""Operators with a number in the figure and a line below it."""


@dataclass(frozen=True)
class OperatorWork:
    """What an operator did in one inference: computation, memory traffic, and its own time."""

    name: str
    flop: float
    traffic_bytes: float
    time_us: float


@dataclass(frozen=True)
class _Placed:
    work: OperatorWork
    intensity: float
    gflops: float


def roofline(
    operators: Sequence[OperatorWork],
    peak_gflops: float | None = None,
    peak_gbps: float | None = None,
    *,
    most: int = MOST_OPERATORS,
) -> Roofline | None:
    """`peak_gflops`: the most computation of the device in GFLOP/s, `peak_gbps` its memory's in GB/s; None
    where they are not known.

    What takes most time is drawn, `most` operators. Those without computation, traffic or time cannot stand
    on logarithmic axes: they are counted. None where no operator can.
    """
    placed = sorted(filter(None, map(_placed, operators)), key=lambda one: -one.work.time_us)
    if not placed:
        return None
    shown = placed[: min(most, MOST_OPERATORS)]
    top, memory = _known(peak_gflops), _known(peak_gbps)
    ridge = top / memory if top and memory else None
    x_scale = decades([*(one.intensity for one in shown), *([ridge] if ridge else [])])
    y_scale = decades([*(one.gflops for one in shown), *([top] if top else [])])
    points = [_point(i, one, (x_scale, y_scale), (top, memory)) for i, one in enumerate(shown)]
    return Roofline(
        title="Operators under the ceilings of the device",
        text=f"{count(len(placed), 'operator')}; {_bounds([_bound(one, top, memory) for one in placed])}",
        note=_note(len(operators), len(placed), len(shown)),
        x_axis=axis(x_scale, "FLOP per byte"),
        y_axis=axis(y_scale, "GFLOP/s"),
        roof=_roof(x_scale, y_scale, top, memory),
        ridge=x_scale.at(ridge) if ridge else None,
        ceilings=tuple(
            f"{plain(peak)} {unit}" for peak, unit in ((top, "GFLOP/s"), (memory, "GB/s")) if peak
        ),
        points=tuple(reversed(points)),  # what takes most of the time lies above the rest
    )


def _known(peak: float | None) -> float | None:
    return min(peak, 1e12) if peak is not None and math.isfinite(peak) and peak > 1e-12 else None


def _placed(work: OperatorWork) -> _Placed | None:
    numbers = (work.flop, work.traffic_bytes, work.time_us)
    if not all(math.isfinite(number) and number > 0 for number in numbers):
        return None
    intensity, gflops = work.flop / work.traffic_bytes, work.flop / work.time_us / 1e3
    if not (1e-12 < intensity < 1e15 and 1e-12 < gflops < 1e15):  # nothing that exists is there
        return None
    return _Placed(work, intensity, gflops)


def _bound(one: _Placed, top: float | None, memory: float | None) -> str:
    """By which ceiling the operator is held back: the lower one at its intensity."""
    if top is None or memory is None:
        return "unknown"
    return "memory" if one.intensity * memory < top else "computation"


def _bounds(found: Sequence[str]) -> str:
    if "unknown" in found:
        return "what bounds them is not known without both ceilings"
    return f"{found.count('memory')} bound by memory, {found.count('computation')} by computation"


def _point(
    i: int, one: _Placed, scales: tuple[Scale, Scale], peaks: tuple[float | None, float | None]
) -> RooflinePoint:
    bound = _bound(one, *peaks)
    roof = min(
        [peak for peak in (peaks[0], one.intensity * peaks[1] if peaks[1] else None) if peak], default=None
    )
    part = (
        f", {100 * one.gflops / roof:.3g} % of what is possible there" if roof and bound != "unknown" else ""
    )
    told = f", bound by {bound}" if bound != "unknown" else ""
    return RooflinePoint(
        x=scales[0].at(one.intensity),
        y=scales[1].at(one.gflops),
        bound=bound,
        label=str(i + 1) if i < NUMBERED else "",
        text=f"{name_of(one.work.name)}: {plain(one.work.time_us)} us, {plain(one.gflops)} GFLOP/s, "
        f"{plain(one.work.traffic_bytes / one.work.time_us / 1e3)} GB/s, "
        f"{plain(one.intensity)} FLOP per byte{told}{part}",
    )


def _roof(x: Scale, y: Scale, top: float | None, memory: float | None) -> tuple[Point, ...]:
    """Up along the memory's ceiling to the ridge, then along that of computation, within the axes."""
    if memory is None:
        return () if top is None else ((0.0, y.at(top)), (1.0, y.at(top)))
    begin = max(x.low, y.low / memory)  # where the slope enters the picture
    end = min(x.high, (top or y.high) / memory)
    if begin >= x.high or end <= begin:  # all of it lies below or above the picture
        return () if top is None else ((0.0, y.at(top)), (1.0, y.at(top)))
    slope = ((x.at(begin), y.at(begin * memory)), (x.at(end), y.at(end * memory)))
    return (*slope, (1.0, y.at(top))) if top is not None and end < x.high else slope


def _note(total: int, placed: int, shown: int) -> str | None:
    said = (
        f"{count(total - placed, 'operator')} without computation, traffic or time not drawn"
        if total > placed
        else "",
        f"the {shown:,} of {placed:,} that take most of the time are drawn" if placed > shown else "",
    )
    return "; ".join(filter(None, said)) or None
