"""Fewer marks than there are values, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from farm.visible import visible

MOST_MARKS = 2000
"""Of one figure: a browser draws so many at once without a pause."""

MOST_POINTS = 1000
"""Of one series."""

NAME_CHARS = 60

LONGEST = 1000
"""Characters of a name that are looked at."""


def peaks(values: Sequence[float | None], most: int = MOST_POINTS) -> list[int]:
    """The numbers of at most `most` values, in order: the lowest and the highest of each stretch, so that no
    peak is lost; None and NaN count as nothing there, and the first such of a stretch stays, as a gap.
    """
    if len(values) <= most:
        return list(range(len(values)))
    stretches = max(most // 3, 1)
    kept: list[int] = []
    for part in range(stretches):
        begin, end = part * len(values) // stretches, (part + 1) * len(values) // stretches
        known = [(v, i) for i, v in enumerate(values[begin:end], begin) if v is not None and not isnan(v)]
        found = {min(known)[1], max(known)[1]} if known else set()
        if len(known) < end - begin:
            found.add(next(i for i in range(begin, end) if (v := values[i]) is None or isnan(v)))
        kept += sorted(found)
    return kept


def said(drawn: int, total: int, noun: str) -> str | None:
    """What the figure says of values that it does not draw; None where it draws all."""
    if drawn >= total:
        return None
    return f"{drawn:,} of {total:,} {noun} are drawn: the lowest and the highest of each stretch"


def name_of(text: str, most: int = NAME_CHARS) -> str:
    """A name on one line, what is in the middle of a long one left out: both ends tell operators apart.

    What hides or reorders text is written out, as everywhere (`farm.visible`).
    """
    line = visible(" ".join((text if len(text) <= LONGEST else _ends(text, LONGEST)).split()))
    return line if len(line) <= most else _ends(line, most)


def _ends(text: str, most: int) -> str:
    front = (most - 1) // 2
    return f"{text[:front]}\N{HORIZONTAL ELLIPSIS}{text[-(most - 1 - front) :]}"
