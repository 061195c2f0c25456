"""Series as lines that break where a value is missing."""

from __future__ import annotations

from collections.abc import Sequence

from farm.report.figures.view import Point


def unbroken(points: Sequence[Point | None]) -> tuple[tuple[Point, ...], ...]:
    """The parts between what is missing. A part of one point is a short level line, so that it is seen."""
    parts: list[list[Point]] = [[]]
    for point in points:
        if point is not None:
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return tuple(tuple(part) if len(part) > 1 else _level(part[0]) for part in parts if part)


def _level(point: Point) -> tuple[Point, Point]:
    x, y = point
    return (max(x - 0.01, 0.0), y), (min(x + 0.01, 1.0), y)
