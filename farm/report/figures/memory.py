"""Planned memory over the steps of a model: how much is in use, and who holds it at the peak."""

from __future__ import annotations

from collections.abc import Sequence

from farm.report.figures.scales import axis, linear
from farm.report.figures.thin import MOST_POINTS, name_of, peaks, said
from farm.report.figures.view import Holder, MemoryTimeline, Point
from farm.report.numerals import count

MOST_HOLDERS = 8
MOST_BYTES = 2**63
"""What a file says beyond is drawn as this."""
UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("bytes", 1))


def memory_timeline(
    in_use_bytes: Sequence[int], holders: Sequence[tuple[str, int]] = ()
) -> MemoryTimeline | None:
    """Bytes in use at each step, in order, and (name, bytes) of what is in use at the highest of them.

    None without steps, or where nothing is in use at any.
    """
    sizes = [min(max(size, 0), MOST_BYTES) for size in in_use_bytes]
    highest = max(sizes, default=0)
    if not highest:
        return None
    unit, scale_bytes = next((name, size) for name, size in UNITS if highest >= size)
    y = linear([highest / scale_bytes], from_zero=True, margin=0.08)
    total, at = len(sizes), sizes.index(highest)
    drawn = sorted({*peaks(sizes, MOST_POINTS - 1), at})
    who = sorted(
        ((name, min(size, MOST_BYTES)) for name, size in holders if size > 0), key=lambda one: -one[1]
    )
    told = f"; {name_of(who[0][0])} holds {_size(who[0][1])} of it" if who else ""
    rest = who[MOST_HOLDERS:]
    named = [(name_of(name), size) for name, size in who[:MOST_HOLDERS]]
    named += [(f"{count(len(rest), 'other')}", sum(size for _, size in rest))] if rest else []
    return MemoryTimeline(
        title="Memory over the steps",
        text=f"the peak is {_size(highest)} at step {at + 1:,} of {total:,}{told}",
        note=said(len(drawn), total, "steps"),
        x_axis=axis(linear([1, total + 1]), "step", most=4),
        y_axis=axis(y, unit, most=4),
        line=_outline([(i / total, (i + 1) / total, y.at(sizes[i] / scale_bytes)) for i in drawn]),
        peak=((at + 0.5) / total, y.at(highest / scale_bytes)),
        peak_label=f"peak {_size(highest)}",
        holders=tuple(Holder(name, _size(size), min(size / highest, 1.0)) for name, size in named),
    )


def _outline(steps: Sequence[tuple[float, float, float]]) -> tuple[Point, ...]:
    """Level over each step, to the next one that is drawn."""
    ends = [*(begin for begin, _, _ in steps[1:]), 1.0]
    return tuple(
        point
        for (begin, _, height), end in zip(steps, ends, strict=True)
        for point in ((begin, height), (end, height))
    )


def _size(size: int) -> str:
    unit, bytes_of = next(((name, number) for name, number in UNITS if size >= number), UNITS[-1])
    return f"{size / bytes_of:.3g} {unit}" if size < 1000 * bytes_of else f"{size / bytes_of:,.0f} {unit}"
