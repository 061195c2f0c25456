"""Where a difference between two sides comes from, operator by operator."""

from __future__ import annotations

import math
from collections.abc import Sequence

from farm.analysis.operators.rounds import FEWEST_ROUNDS, is_apart
from farm.model.operators import Bar, BarKind, Comparison, Row, Side, Waterfall

TOP_BARS = 10


def waterfall(comparison: Comparison, *, before: int = 0, after: int = 1, top: int = TOP_BARS) -> Waterfall:
    """The `top` largest contributions to the difference of two sides of a comparison, by size; the rest is
    one bar `other`. Where both know their end-to-end time, what the operators do not explain is
    `unattributed`: it is below 0 where they explain more, as profiling itself costs time.
    """
    old, new = comparison.sides[before], comparison.sides[after]
    bars = sorted(_bars(comparison.rows, before, after), key=lambda bar: (-abs(bar.delta_ms), bar.name))
    shown, folded = bars[:top], bars[top:]
    if folded:
        shown.append(_other(folded))
    is_end_to_end = old.end_to_end_ms is not None and new.end_to_end_ms is not None
    if is_end_to_end:
        shown.append(_unattributed(old, new))
    return Waterfall(
        old.name,
        new.name,
        _whole_ms(old, is_end_to_end),
        _whole_ms(new, is_end_to_end),
        tuple(shown),
        is_end_to_end,
        min(old.rounds, new.rounds) >= FEWEST_ROUNDS,
    )


def _whole_ms(side: Side, is_end_to_end: bool) -> float:
    return (side.end_to_end_ms or 0.0) if is_end_to_end else side.operators_ms


def _bars(rows: Sequence[Row], before: int, after: int) -> list[Bar]:
    found = []
    for row in rows:
        old, new = row.sides[before], row.sides[after]
        before_ms, after_ms = old.median_ms if old else 0.0, new.median_ms if new else 0.0
        if old and new:
            kind = BarKind.OPERATOR
        elif old or new:
            kind = BarKind.ONLY_BEFORE if old else BarKind.ONLY_AFTER
        else:
            continue
        present = old or new
        assert present is not None
        name = present.operator.name or f"operator {present.operator.id}"
        is_changed = bool(old and new and is_apart(old, new))
        found.append(Bar(kind, name, after_ms - before_ms, before_ms, after_ms, is_changed))
    return found


def _other(bars: Sequence[Bar]) -> Bar:
    before_ms = math.fsum(bar.before_ms for bar in bars)
    after_ms = math.fsum(bar.after_ms for bar in bars)
    name = f"{len(bars)} other operators"
    return Bar(BarKind.OTHER, name, after_ms - before_ms, before_ms, after_ms, count=len(bars))


def _unattributed(old: Side, new: Side) -> Bar:
    before_ms = (old.end_to_end_ms or 0.0) - old.operators_ms
    after_ms = (new.end_to_end_ms or 0.0) - new.operators_ms
    return Bar(BarKind.UNATTRIBUTED, "unattributed", after_ms - before_ms, before_ms, after_ms, count=0)
