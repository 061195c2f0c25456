"""Horizontal bars of one or two sides, such as the time of operators by type."""

from __future__ import annotations

import math
from collections.abc import Sequence

from farm.report.figures.scales import axis, limited, linear, plain
from farm.report.figures.thin import name_of
from farm.report.figures.view import Bar, Bars
from farm.report.numerals import MISSING, count

MOST_ROWS = 12


def bars(
    rows: Sequence[tuple[str, Sequence[float | None]]],
    sides: Sequence[str],
    title: str,
    unit: str = "ms",
    most: int = MOST_ROWS,
) -> Bars | None:
    """`rows` are (name, a value per side) in `unit`, 0 or more; None where a side has no such row.

    The largest come first, the rest is one row `other`. None without rows that have a value.
    """
    known = [(name, _sizes(values, len(sides))) for name, values in rows]
    usable = [row for row in known if any(size is not None for size in row[1])]
    if not usable or not sides:
        return None
    order = sorted(usable, key=lambda row: -max(size for size in row[1] if size is not None))
    shown, rest = order[:most], order[most:]
    lines = [(name_of(name), sizes) for name, sizes in shown]
    if rest:
        lines.append((f"other ({count(len(rest), 'row')})", _sum([sizes for _, sizes in rest])))
    scale = linear([size for _, sizes in lines for size in sizes if size is not None], from_zero=True)
    missing = len(rows) - len(usable)
    return Bars(
        title=name_of(title),
        text=f"{count(len(usable), 'row')}, the largest is {lines[0][0]} with {_values(lines[0][1], unit)}",
        note=f"{count(missing, 'row')} without a value left out" if missing else None,
        axis=axis(scale, unit, most=4),
        sides=tuple(name_of(side) for side in sides),
        rows=tuple(
            Bar(
                name=name,
                values=tuple(MISSING if size is None else f"{plain(size)} {unit}" for size in sizes),
                sizes=tuple(None if size is None else scale.at(size) for size in sizes),
            )
            for name, sizes in lines
        ),
    )


def _sizes(values: Sequence[float | None], sides: int) -> tuple[float | None, ...]:
    """A value per side; what is no number, or below 0, is not known."""
    sound = [limited(v) if v is not None and math.isfinite(v) and v >= 0 else None for v in values]
    return tuple([*sound, *[None] * sides][:sides])


def _sum(rows: Sequence[Sequence[float | None]]) -> tuple[float | None, ...]:
    columns = zip(*rows, strict=True)
    return tuple(
        limited(math.fsum(v for v in column if v is not None)) if any(v is not None for v in column) else None
        for column in columns
    )


def _values(sizes: Sequence[float | None], unit: str) -> str:
    return " and ".join(MISSING if size is None else f"{plain(size)} {unit}" for size in sizes)
