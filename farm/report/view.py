"""What a report shows: text ready to print and positions ready to draw.

Made by `farm.report.compose`, laid out by the templates in reports/. Every string may come from
a device or a user: the templates escape it. Positions are fractions 0..1 of their axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from farm.report.figures.view import Bars, PairsPlot, RoundsFigure, Tracks, Waterfall, Whisker


@dataclass(frozen=True)
class Status:
    """How a cell ended, in three forms, so that colour is never the only one. `key` is a CSS class."""

    key: str
    symbol: str
    word: str


@dataclass(frozen=True)
class Count:
    """A number of cells or checks that ended in one way, or of comparisons with one verdict."""

    status: Status
    cells: int


@dataclass(frozen=True)
class Fact:
    """A label and its value."""

    label: str
    text: str


@dataclass(frozen=True)
class Head:
    """Who ran what, when, with which versions, and how it ended.

    `trouble` is what the reader must know first (interrupted, nothing ran); None when all is well.
    """

    run_id: str
    when: str
    command: str
    facts: tuple[Fact, ...]
    counts: tuple[Count, ...]
    cells: int
    trouble: str | None


@dataclass(frozen=True)
class ComparisonRow:
    """One compared cell. `links` are the anchors of its two cells, None where the run does not have it.

    `interval`, `measured` and the times are texts; `is_hidden`: shown on demand only, since nothing changed.
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


@dataclass(frozen=True)
class Strip:
    """A cell's rounds on the axis of its row, which begins at 0 ms and ends at the row's largest round.

    `reference` is the first variant's median on that axis, where there is one; `text` describes it.
    """

    rounds: tuple[float, ...]
    low: float
    median: float
    high: float
    reference: float | None
    text: str


@dataclass(frozen=True)
class Times:
    """A cell's value: the median of its rounds' values, in ms, and their range. `sort_ms` is unrounded."""

    median: str
    low: str
    high: str
    rounds: str
    ratio: str | None
    warning: str | None
    strip: Strip
    sort_ms: float


@dataclass(frozen=True)
class Box:
    """One cell of a matrix. `anchor` is its detail's; `times` is None unless the cell completed."""

    anchor: str
    status: Status
    times: Times | None
    reason: str | None


@dataclass(frozen=True)
class MatrixRow:
    """One device; a box per variant, None where the run has no such cell."""

    device: str
    boxes: tuple[Box | None, ...]


@dataclass(frozen=True)
class Matrix:
    """One model: devices x variants."""

    model: str
    facts: tuple[Fact, ...]
    variants: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True)
class RoundRow:
    """One round: `figures` are load, first inference, median, p90 and min, in ms; `device` is what the device
    was like; `error` why it failed or does not count.
    """

    name: str
    status: Status
    started: str
    figures: tuple[str, ...]
    iterations: str
    quality: str
    is_ok: bool
    error: str | None
    device: str


@dataclass(frozen=True)
class OperatorRow:
    """One operator of a profile; `time_ms` is its self time on the device."""

    name: str
    type: str
    time_ms: str
    share: str
    gflops: str
    gbps: str
    shapes: str
    algorithm: str


@dataclass(frozen=True)
class Operators:
    """What a cell's profile says: the slowest operators, times by type, and where the difference to `against`
    (another profiled cell of the device and model) comes from.
    """

    rows: tuple[OperatorRow, ...] = ()
    left: str | None = None
    types: Bars | None = None
    waterfall: Waterfall | None = None
    against: str | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileLink:
    """A file of the run directory. `href` is None when its path is not safe to link."""

    role: str
    path: str
    href: str | None
    size: str
    sha256: str


@dataclass(frozen=True)
class Failure:
    """Why a cell failed; `hint` is the next command to type."""

    stage: str
    fault: str
    cause: str
    message: str
    hint: str | None


@dataclass(frozen=True)
class CellDetail:
    """Everything about one cell. `argv` and `reproduce` are command lines to be copied; `more` has what
    sections of other rooms show of it (operators, tensors), by the name of the section.
    """

    anchor: str
    device: str
    model: str
    variant: str
    status: Status
    value: str
    options: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    argv: str
    reproduce: str | None
    failure: Failure | None
    reason: str | None
    notes: tuple[str, ...]
    preparations: tuple[Fact, ...]
    rounds: tuple[RoundRow, ...]
    order: RoundsFigure | None
    files: tuple[FileLink, ...]
    tracks: Tracks | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EnvironmentRow:
    """One fact of every device. `odd` marks the devices that differ from most; it is set only
    for facts that are worth comparing.
    """

    label: str
    texts: tuple[str, ...]
    odd: tuple[bool, ...]

    @property
    def differs(self) -> bool:
        return any(self.odd)


@dataclass(frozen=True)
class EnvironmentGroup:
    title: str
    rows: tuple[EnvironmentRow, ...]


@dataclass(frozen=True)
class EnvironmentValue:
    """A value of a fact, how many devices have it, the first of them, and how many more there are."""

    text: str
    devices: int
    named: str
    more: int


@dataclass(frozen=True)
class SharedFact:
    """A fact of many devices: its values, the most common first; `left_out` are values that are not shown."""

    label: str
    values: tuple[EnvironmentValue, ...]
    left_out: int


@dataclass(frozen=True)
class Environment:
    """The devices' facts side by side; of many devices `shared`, the values of each fact, instead."""

    devices: tuple[str, ...]
    groups: tuple[EnvironmentGroup, ...]
    shared: tuple[SharedFact, ...] = ()


@dataclass(frozen=True)
class CellLink:
    anchor: str
    text: str


@dataclass(frozen=True)
class Problem:
    """Cells that failed or were skipped for the same reason. `number` is how many, `cells` those shown."""

    status: Status
    device: str
    cells: tuple[CellLink, ...]
    failure: Failure | None
    reason: str | None
    number: int


@dataclass(frozen=True)
class OutputTensor:
    """One output of a check that is not as it should be."""

    name: str
    type: str
    reference: str
    snr: str
    text: str


@dataclass(frozen=True)
class OutputRow:
    """The outputs of a cell against something; numbers are of the worst output. `anchor` is that of the
    cell's detail.
    """

    verdict: Status
    cell: str
    anchor: str | None
    against: str
    snr: str
    largest: str
    beyond: str
    sentence: str
    tensors: tuple[OutputTensor, ...]


@dataclass(frozen=True)
class Outputs:
    """Outputs before times: `left_out` rows are in results.json only. `tolerances` are those stated."""

    counts: tuple[Count, ...]
    rows: tuple[OutputRow, ...]
    left_out: int
    tolerances: str


@dataclass(frozen=True)
class Method:
    """The values in the text on how the numbers were made."""

    seed: str
    rounds: int
    first_variant: str
    iterations_embedded: bool


@dataclass(frozen=True)
class ReportView:
    """The whole report. `data` is the run as JSON types, for programs that read the file; None in a large
    report, whose cells are pages of their own. `table` is the packed table of all cells, None where there are
    none. `more` has what sections of other rooms show, by the name of the section.
    """

    head: Head
    matrices: tuple[Matrix, ...]
    problems: tuple[Problem, ...]
    outputs: Outputs | None
    cells: tuple[CellDetail, ...]
    environment: Environment
    method: Method
    data: Mapping[str, Any] | None
    comparisons: Comparisons | None = None
    table: str | None = None
    is_large: bool = False
    problems_left_out: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)

    def link(self, anchor: str) -> str:
        """Where the details of a cell are: in this page, or in a page beside it."""
        return f"./cells/{anchor}.html" if self.is_large else f"#{anchor}"
