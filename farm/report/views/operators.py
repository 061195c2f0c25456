"""What is shown of profiles."""

from __future__ import annotations

from dataclasses import dataclass

from farm.report.figures.view import Bars, Waterfall


@dataclass(frozen=True)
class OperatorRow:
    """One operator of a profile; `time_ms` is its self time on the device, the median of the rounds;
    `span_ms` goes from the least to the greatest, empty where there is one.
    """

    name: str
    type: str
    time_ms: str
    span_ms: str
    share: str
    gflops: str
    gbps: str
    shapes: str
    algorithm: str


@dataclass(frozen=True)
class Operators:
    """What a cell's profile says: the slowest operators, times by type, and where the difference to `against`
    (another profiled cell of the device and model) comes from. `profiles` says how many there are, and
    what that decides.
    """

    rows: tuple[OperatorRow, ...] = ()
    left: str | None = None
    types: Bars | None = None
    waterfall: Waterfall | None = None
    against: str | None = None
    problems: tuple[str, ...] = ()
    layers: Bars | None = None
    profiles: str = ""
