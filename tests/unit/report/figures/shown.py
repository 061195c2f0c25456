"""What a view of a figure has in it."""

from __future__ import annotations

import dataclasses

from farm.report.figures.thin import MOST_MARKS
from farm.visible import visible


def walk(value):
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from walk(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from walk(item)
    else:
        yield value


def check(view) -> None:
    """Every position is on its axis, there are not too many, and no text hides anything."""
    found = list(walk(view))
    positions = [one for one in found if isinstance(one, float)]
    assert all(0 <= one <= 1 for one in positions), view
    assert len(positions) <= 4 * MOST_MARKS  # two ends of two coordinates
    for text in (one for one in found if isinstance(one, str)):
        assert visible(text) == text
        assert "nan" not in text.split()
