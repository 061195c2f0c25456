"""What is shown of a run's cells over all runs before it."""

from __future__ import annotations

from dataclasses import dataclass

from farm.report.figures.view import Sparkline
from farm.report.views.common import Status


@dataclass(frozen=True)
class HistoryRow:
    """A cell over runs: its line, its newest time in ms, how many runs, and its last change in words. `told`
    is what is known to have changed there.
    """

    cell: str
    line: Sparkline | None
    value: str
    runs: str
    mark: Status
    change: str
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class HistoryView:
    """What changed last comes first; `left_out` are cells that are not shown. `problem` says why there is
    nothing.
    """

    rows: tuple[HistoryRow, ...] = ()
    left_out: int = 0
    problem: str | None = None
