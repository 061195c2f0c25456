"""Devices x variants: a verdict in each cell, as word, symbol and shade."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.compare.words import SYMBOLS, percent
from farm.model.comparison import Verdict
from farm.report.figures.thin import MOST_MARKS, name_of
from farm.report.figures.view import HeatCell, HeatMap, HeatRow
from farm.report.numerals import MISSING, as_ratio, count

MOST_COLUMNS = 60
LIMITS = (0.0, 0.03, 0.1, 0.3)
"""From how large a change on (of the logarithm of the ratio) the next shade begins."""


@dataclass(frozen=True)
class HeatValue:
    """`ratio` of candidate over baseline and its 95 % bounds, None where they are not known. `anchor` is that
    of the detail in this page, `href` where it is in another one; `note` is said below.
    """

    verdict: Verdict
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    anchor: str | None = None
    href: str | None = None
    note: str = ""


def heat_map(
    rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[str, str], HeatValue], title: str
) -> HeatMap | None:
    """`cells` by (row, column). None without rows or columns."""
    if not rows or not columns:
        return None
    shown_columns = columns[:MOST_COLUMNS]
    shown_rows = rows[: max(MOST_MARKS // len(shown_columns), 1)]
    return HeatMap(
        title=name_of(title),
        note=_note(len(rows) - len(shown_rows), len(columns) - len(shown_columns)),
        legend="Each cell has the time relative to the baseline with its 95 % interval. "
        "The stronger the shade, the larger the change: from 3, 10 and 30 % on it is another.",
        columns=tuple(name_of(column) for column in shown_columns),
        rows=tuple(
            HeatRow(name_of(row), tuple(_cell(cells.get((row, column))) for column in shown_columns))
            for row in shown_rows
        ),
    )


def _note(rows: int, columns: int) -> str | None:
    said = (
        count(rows, "row") if rows else "",
        count(columns, "column") if columns else "",
    )
    return " and ".join(filter(None, said)) or None


def _cell(value: HeatValue | None) -> HeatCell | None:
    if value is None:
        return None
    return HeatCell(
        key=value.verdict.value,
        symbol=SYMBOLS[value.verdict],
        word=value.verdict.value,
        shade=_shade(value),
        ratio=MISSING if value.ratio is None else as_ratio(value.ratio),
        interval=_interval(value.low, value.high),
        anchor=value.anchor,
        href=value.href,
        note=value.note,
    )


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{percent(low - 1).removesuffix(' %')} to {percent(high - 1)}"


def _shade(value: HeatValue) -> int:
    """0 for what has not changed, else 1 to 4 by the size of the change."""
    if value.verdict not in {Verdict.SLOWER, Verdict.FASTER} or not value.ratio:
        return 0
    return shade_of(value.ratio)


def shade_of(ratio: float) -> int:
    """1 to 4 by how far a ratio is from 1; 0 for what is none."""
    if not 0 < ratio < math.inf:
        return 0
    size = abs(math.log(ratio))
    return sum(size >= limit for limit in LIMITS)
