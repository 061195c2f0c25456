"""What is shown of operators under the ceilings of their devices."""

from __future__ import annotations

from dataclasses import dataclass

from farm.report.figures.view import Roofline


@dataclass(frozen=True)
class RooflineRow:
    """An operator: its self time and rates, and how near it comes to the ceiling that limits it (`reach`).
    `bound` is that ceiling in a word. `anchor` leads to the cell.
    """

    operator: str
    cell: str
    anchor: str
    time_ms: str
    gflops: str
    gbps: str
    intensity: str
    bound: str
    reach: str


@dataclass(frozen=True)
class DeviceRoofline:
    """One device and core set: `source` says where its ceilings come from, `left` what is not in the rows."""

    device: str
    cores: str
    ceilings: str
    source: str
    figure: Roofline | None
    rows: tuple[RooflineRow, ...]
    left: str | None


@dataclass(frozen=True)
class Rooflines:
    """`notes` say which ceilings are not known, and which profiles are not shown."""

    parts: tuple[DeviceRoofline, ...]
    notes: tuple[str, ...]
