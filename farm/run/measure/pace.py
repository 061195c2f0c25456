"""How long the rounds of a device take, all around them included, and how long others will take."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping

from farm.plan.estimate import Span, span


class Pace:
    """Times in seconds, by id of a cell."""

    def __init__(self) -> None:
        self._times: defaultdict[str, list[float]] = defaultdict(list)

    def note(self, cell: str, seconds: float) -> None:
        """A round of a cell took so long."""
        self._times[cell].append(seconds)

    def seconds_of(self, cell: str) -> float:
        """How long a round of this cell takes; as others where none was measured, 0 where none was at all."""
        found = self._times.get(cell) or [one for times in self._times.values() for one in times]
        return statistics.fmean(found) if found else 0.0

    def left(self, counts: Mapping[str, int]) -> Span | None:
        """How long so many rounds of these cells take; None where nothing was measured yet."""
        return span(self._times, counts) if counts else Span(0.0, 0.0)
