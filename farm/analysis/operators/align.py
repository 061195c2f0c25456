"""The same operator on every side: variants, devices or versions, any number of them.

Found by name first, then by type and shapes, then by type alone; among several, in the order of computation.
MegEngine ends names with numbers that differ from graph to graph (`FUSE_ADD_RELU(a,b)[1542]`): these do not
count where the whole name finds nothing.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence

from farm.analysis.operators.rounds import is_apart
from farm.model.operators import Comparison, Matched, Operator, Row, Side, Timed

_NUMBERS = re.compile(r"\[\d+\]")

_WAYS: tuple[tuple[Matched, Callable[[Operator], Hashable]], ...] = (
    (Matched.NAME, lambda one: one.name or None),
    (Matched.NAME, lambda one: (_NUMBERS.sub("", one.name), one.type) if one.name else None),
    (Matched.SHAPES, lambda one: (one.type, one.input_shapes, one.output_shapes)),
    (Matched.ORDER, lambda one: one.type),
)
"""None: cannot be found in this way."""


def aligned(sides: Sequence[Side]) -> Comparison:
    """Operators of two or more sides, row by row; each operator is in one row."""
    rows: list[_Row] = []
    for place, one in enumerate(sides):
        left = list(one.operators)
        for how, key_of in _WAYS:
            if place and left:
                left = _match(rows, left, place, how, key_of)
        rows += [_Row({place: timed}) for timed in left]
    return Comparison(
        tuple(sides),
        tuple(_finished(row, len(sides)) for row in rows),
        tuple(_alone(rows, place) for place in range(len(sides))),
    )


class _Row:
    """A row in the making: its operators by the place of their side."""

    def __init__(self, found: dict[int, Timed]) -> None:
        self.found = found
        self.matched = Matched.NONE


def _match(
    rows: Iterable[_Row],
    left: Sequence[Timed],
    place: int,
    how: Matched,
    key_of: Callable[[Operator], Hashable],
) -> list[Timed]:
    """Put what is found into its row; what is not is returned."""
    free: dict[Hashable, deque[_Row]] = {}
    for row in rows:
        key = key_of(next(iter(row.found.values())).operator)
        if place not in row.found and key is not None:
            free.setdefault(key, deque()).append(row)
    missed = []
    for timed in left:
        candidates = free.get(key_of(timed.operator))
        if not candidates:
            missed.append(timed)
            continue
        row = candidates.popleft()
        row.found[place] = timed
        row.matched = max(row.matched, how, key=_WEAKNESS.index)
    return missed


_WEAKNESS = [Matched.NONE, Matched.NAME, Matched.SHAPES, Matched.ORDER]


def _finished(row: _Row, sides: int) -> Row:
    found = tuple(row.found.get(place) for place in range(sides))
    first = next(place for place, timed in enumerate(found) if timed)
    base = found[first]
    assert base is not None
    ratios = tuple(
        timed.median_ms / base.median_ms if timed and place != first and base.median_ms else None
        for place, timed in enumerate(found)
    )
    changed = tuple(
        timed is not None and place != first and is_apart(base, timed) for place, timed in enumerate(found)
    )
    return Row(found, row.matched, ratios, changed)


def _alone(rows: Iterable[_Row], place: int) -> tuple[Timed, ...]:
    return tuple(row.found[place] for row in rows if len(row.found) == 1 and place in row.found)
