"""What is shown of comparisons."""

from __future__ import annotations

from dataclasses import dataclass

from farm.report.figures.view import PairsPlot, Whisker
from farm.report.views.common import Count, Status


@dataclass(frozen=True)
class ComparisonRow:
    """One compared cell. `links` are the anchors of its two cells, None where the run does not have it.

    `interval`, `measured` and the times are texts; `is_hidden`: shown on demand only, since nothing changed;
    `has_context`: the details of the second cell show in what the two differ.
    """

    status: Status
    device: str
    what: str
    baseline: str
    candidate: str
    links: tuple[str | None, str | None]
    baseline_ms: str
    candidate_ms: str
    change: str
    interval: str
    measured: str
    sentence: str
    differences: tuple[str, ...]
    notes: tuple[str, ...]
    plot: PairsPlot | None
    is_hidden: bool
    whisker: Whisker | None = None
    has_context: bool = False


@dataclass(frozen=True)
class Comparisons:
    """What a run's comparisons came to. `decision` has GO, NO-GO or NOT DECIDED as its symbol; None where
    only canaries were compared.

    `worst` are the first of `rows` that are not unchanged; `rows` the first of `total`. `canaries` says what
    the cells that were compared with themselves showed, `is_doubtful`: that this is too much. `coverage` says
    how many cells were compared, `missing` how many were not measured.
    """

    decision: Status | None
    counts: tuple[Count, ...]
    worst: tuple[ComparisonRow, ...]
    rows: tuple[ComparisonRow, ...]
    hidden: int
    canaries: str
    is_doubtful: bool
    minimum_effect: str
    total: int
    coverage: str
    missing: tuple[Count, ...]
