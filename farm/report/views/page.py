"""The whole page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from farm.report.views.cells import CellDetail, Problem
from farm.report.views.common import Count, Fact
from farm.report.views.comparisons import Comparisons
from farm.report.views.environment import Environment
from farm.report.views.matrix import Matrix
from farm.report.views.outputs import Outputs


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
    none; `needs_plots`: it has series that are too long for dots. `more` has what sections of other rooms
    show, by the name of the section.
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
    needs_plots: bool = False
    is_large: bool = False
    problems_left_out: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)

    def link(self, anchor: str) -> str:
        """Where the details of a cell are: in this page, or in a page beside it."""
        return f"./cells/{anchor}.html" if self.is_large else f"#{anchor}"

    def context_link(self, anchor: str) -> str:
        """Where they show in what a cell differs from what it was compared with."""
        fragment = f"#{anchor.replace('cell', 'context')}"
        return f"{self.link(anchor)}{fragment}" if self.is_large else fragment
