"""A series in one small line, with the places where it changed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from farm.compare.words import percent
from farm.report.figures.lines import unbroken
from farm.report.figures.scales import Scale, finite, linear, plain
from farm.report.figures.thin import peaks, said
from farm.report.figures.view import ChangePoint, Sparkline
from farm.report.numerals import count

MOST_DRAWN = 300
MOST_CHANGES = 50


def sparkline(
    values: Sequence[float | None], changes: Sequence[int] = (), unit: str = "ms"
) -> Sparkline | None:
    """`values` in `unit`, oldest first, None where there is none; `changes` are the numbers (from 0) of the
    first values after a change, such as a change-point search finds. None without two values.
    """
    known = finite(values)
    if len(known) < 2:
        return None
    total, scale = len(values), linear(known, margin=0.08)
    series = [finite([value])[0] if finite([value]) else None for value in values]
    cuts = sorted({i for i in changes if 0 < i < total})[:MOST_CHANGES]
    levels = _levels(series, cuts)
    drawn = peaks(series, MOST_DRAWN)
    last = max(i for i, value in enumerate(series) if value is not None)
    told = (said(len(drawn), total, "values"), f"{count(len(cuts), 'change')}" if cuts else "no change found")
    return Sparkline(
        text=f"{count(len(known), 'value')}, the last {plain(series[last] or 0.0)} {unit}, "
        f"from {plain(min(known))} to {plain(max(known))} {unit}; {'; '.join(filter(None, told))}",
        lines=unbroken([_point(i, series[i], total, scale) for i in drawn]),
        levels=tuple(
            (begin / total, end / total, scale.at(level)) for begin, end, level in levels if level is not None
        ),
        changes=tuple(
            _change(cut / total, before[2], after[2])
            for cut, (before, after) in zip(cuts, pairwise(levels), strict=True)
        ),
        last=_point(last, series[last], total, scale) or (1.0, 0.5),
    )


def _point(index: int, value: float | None, total: int, scale: Scale) -> tuple[float, float] | None:
    return None if value is None else ((index + 0.5) / total, scale.at(value))


def _levels(series: Sequence[float | None], cuts: Sequence[int]) -> list[tuple[int, int, float | None]]:
    """Begin, end and median of each stretch between two changes."""
    found = []
    for begin, end in pairwise([0, *cuts, len(series)]):
        here = [value for value in series[begin:end] if value is not None]
        found.append((begin, end, median(here) if here else None))
    return found


def _change(at: float, before: float | None, after: float | None) -> ChangePoint:
    if before is None or after is None or before == after:
        return ChangePoint(at, "none", "changed")
    side = "slower" if after > before else "faster"
    size = percent(min(after / before - 1, 1e9)) if before > 0 else f"from {plain(before)} to {plain(after)}"
    return ChangePoint(at, side, size)
