"""What is remembered of runs: series of points, and the places where they change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from farm.model.matrix import cell_id


@dataclass(frozen=True, order=True)
class SeriesKey:
    """The names of a cell, which it has in every run."""

    device: str
    model: str
    variant: str
    build: str

    @property
    def id(self) -> str:
        return cell_id(self.device, self.model, self.variant, self.build)


@dataclass(frozen=True)
class Point:
    """A cell in one run. Times in ms: the values of its rounds that may be compared, their median, and the
    median's 95 % interval (None: too few, or none). `status` is the cell's, `cause` that of its failure;
    `context` is what the number belongs to, value by label, as farm.compare.fingerprint has it.
    """

    run: str
    started_s: float
    started_at: str
    status: str
    cause: str | None = None
    median_ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    values_ms: tuple[float, ...] = ()
    context: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Series:
    """A cell over runs, the oldest first."""

    key: SeriesKey
    points: tuple[Point, ...]


class Why(StrEnum):
    """What is known to have changed where a series changes."""

    OTHER = "other"
    """The model, its input or its options: what was measured before is something else."""
    BUILD = "build"
    """The runtime: what a series is watched for."""
    CONTEXT = "context"
    """The device, its system or its settings."""
    UNKNOWN = "unknown"
    """Nothing that is known."""


WORDS = {
    Why.BUILD: "another build",
    Why.CONTEXT: "the device or its settings changed",
    Why.OTHER: "another model, input or options",
    Why.UNKNOWN: "nothing that is known changed",
}
"""The same for people."""


@dataclass(frozen=True)
class ChangePoint:
    """A place where the level of a series changes: from the point `at` on, by its number in the series.

    `ratio` is the new level over the old one (above 1 is slower), within `low` and `high` with 95 %
    confidence (None: too few points to tell). The levels in ms are medians of so many points. `evidence`
    says in words what differs between `before` and `after`, the runs on both sides.
    """

    at: int
    before: str
    after: str
    before_ms: float
    after_ms: float
    points_before: int
    points_after: int
    ratio: float
    low: float | None
    high: float | None
    why: Why
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A place where something is known to have changed, whether or not the level did."""

    at: int
    why: Why
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Suspect:
    """The newest point lies off its level by `ratio`. One point alone is no change: fresh pairs tell."""

    run: str
    level_ms: float
    ratio: float


@dataclass(frozen=True)
class Reading:
    """A series with what was found in it. `noise` is the spread of one point about its level, as a fraction
    (None: too few points to tell).
    """

    series: Series
    changes: tuple[ChangePoint, ...] = ()
    marks: tuple[Mark, ...] = ()
    suspect: Suspect | None = None
    noise: float | None = None
