"""A series as JSON, for scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from farm.history.nouns import Point, Reading


def as_json(reading: Reading) -> dict[str, Any]:
    """Times in ms, ratios above 1 are slower; `at` is the number of a point, from 0 on."""
    return {
        **asdict(reading.series.key),
        "id": reading.series.key.id,
        "noise": reading.noise,
        "points": [_point(one) for one in reading.series.points],
        "changes": [asdict(one) for one in reading.changes],
        "marks": [asdict(one) for one in reading.marks],
        "suspect": asdict(reading.suspect) if reading.suspect else None,
    }


def _point(point: Point) -> dict[str, Any]:
    """Without its context: what differs from point to point is in `marks`."""
    found = asdict(point)
    del found["context"]
    return found
