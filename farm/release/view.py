"""What the page of a release shows: every text is chosen, every number rounded. Read by reports/release/."""

from __future__ import annotations

from dataclasses import dataclass

from farm.report.figures.view import HeatMap, Sparkline, Whisker
from farm.report.views.common import Count, Fact, Status


@dataclass(frozen=True)
class ChangeRow:
    """A compared cell. `href` leads to it in the report of its run, None where that is not there."""

    status: Status
    name: str
    href: str | None
    run: str
    old_ms: str
    new_ms: str
    change: str
    interval: str
    measured: str
    sentence: str
    differences: tuple[str, ...]
    whisker: Whisker | None


@dataclass(frozen=True)
class Listing:
    """Comparisons with the same meaning, the first of `total`; `empty` is said where there are none."""

    anchor: str
    title: str
    legend: str
    rows: tuple[ChangeRow, ...]
    total: int
    empty: str


@dataclass(frozen=True)
class WrongRow:
    """Outputs that are wrong, or could not be compared; `decides`: they are of the newest version."""

    status: Status
    name: str
    href: str | None
    run: str
    version: str
    against: str
    sentence: str
    decides: bool


@dataclass(frozen=True)
class ColumnHead:
    """A version against another one, and what it came to."""

    new: str
    old: str
    decision: Status
    counts: tuple[Count, ...]
    coverage: str
    canaries: str
    is_doubtful: bool


@dataclass(frozen=True)
class GroupRow:
    """Cells of a class of devices, a device or a model."""

    name: str
    cells: int
    counts: tuple[Count, ...]
    change: str
    interval: str
    whisker: Whisker | None


@dataclass(frozen=True)
class GroupTable:
    title: str
    heading: str
    rows: tuple[GroupRow, ...]
    left_out: int


@dataclass(frozen=True)
class VersionBox:
    """A cell in one version; `status` is None for the first one, and where nothing was compared."""

    status: Status | None
    ms: str
    change: str


@dataclass(frozen=True)
class VersionRow:
    """A cell; `line` only where it changed: a line of noise would look like a change."""

    name: str
    boxes: tuple[VersionBox, ...]
    line: Sparkline | None


@dataclass(frozen=True)
class VersionTable:
    """`unchanged` cells, which are so in all versions, have no row; `left_out` ones are too many."""

    versions: tuple[str, ...]
    rows: tuple[VersionRow, ...]
    left_out: int
    unchanged: int


@dataclass(frozen=True)
class Reason:
    """Cells that were not measured for the same reason: how many, and the first of them."""

    status: Status
    reason: str
    number: int
    named: str


@dataclass(frozen=True)
class Difference:
    """What else differs between the two sides, and of how many comparisons."""

    text: str
    cells: int
    named: str


@dataclass(frozen=True)
class NamedFacts:
    """What a version is, or a device."""

    name: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class RunRow:
    run: str
    href: str | None
    began: str
    status: str
    decision: str
    cells: str
    farm: str
    note: str


@dataclass(frozen=True)
class ReleasePage:
    """`summary` are the five lines; `extremes` the worst and the best cells, under a title each; the first of
    `columns` is the newest version, which decides.
    """

    title: str
    made: str
    summary: tuple[str, ...]
    extremes: tuple[tuple[str, tuple[Fact, ...]], ...]
    columns: tuple[ColumnHead, ...]
    findings: tuple[str, ...]
    wrong: tuple[WrongRow, ...]
    wrong_left_out: int
    lists: tuple[Listing, ...]
    again: tuple[Fact, ...]
    heat: HeatMap | None
    versions: VersionTable | None
    groups: tuple[GroupTable, ...]
    unmeasured: tuple[Reason, ...]
    unmeasured_left_out: int
    differences: tuple[Difference, ...]
    differences_left_out: int
    facts: tuple[NamedFacts, ...]
    environment: tuple[NamedFacts, ...]
    environment_left_out: int
    runs: tuple[RunRow, ...]
    minimum_effect: str
    by: str
