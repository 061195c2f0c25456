"""What is shown of one model: devices x variants."""

from __future__ import annotations

from dataclasses import dataclass

from farm.report.views.common import Fact, Status


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
