"""What is shown of operators side by side: of variants, builds, devices or runs."""

from __future__ import annotations

from dataclasses import dataclass

from farm.report.figures.view import HeatCell, Waterfall


@dataclass(frozen=True)
class SideHead:
    """A column: `anchor` is that of its cell's details, None for a cell of another run."""

    name: str
    profiles: str
    anchor: str | None


@dataclass(frozen=True)
class RatioRow:
    """An operator, a layer or a sum: its time on the first side that has it, and the ratios of the others."""

    name: str
    type: str
    cells: tuple[HeatCell | None, ...]
    note: str = ""


@dataclass(frozen=True)
class Alone:
    """Operators that only one side has, the longest first; `left` counts those that are not named."""

    side: str
    operators: tuple[str, ...]
    left: str | None


@dataclass(frozen=True)
class SideBySide:
    """Cells whose operators are compared with those of the first one. `undecided` says why nothing can be
    called changed, None where it can. What is not shown is in `left`, with the command that shows it.
    """

    title: str
    sides: tuple[SideHead, ...]
    rows: tuple[RatioRow, ...]
    totals: tuple[RatioRow, ...]
    layers: tuple[RatioRow, ...]
    alone: tuple[Alone, ...]
    waterfalls: tuple[tuple[str, Waterfall], ...]
    undecided: str | None
    left: tuple[str, ...]
    command: str


@dataclass(frozen=True)
class OperatorsOfRun:
    """The section of the run; `notes` say what it leaves out."""

    groups: tuple[SideBySide, ...]
    notes: tuple[str, ...]
