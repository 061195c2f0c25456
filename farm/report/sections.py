"""The sections of a report, in their order: a row here and a template in reports/partials/ make a part of it.

A section is shown where its content is not None. The content of sections of other rooms comes with the
results (`More`): a run without profiles has no `operators`, and so no such section.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from farm.report.demand import merged
from farm.report.views.page import ReportView

MOST_CELLS = 500
"""Cells whose files are read for their sections; the commands `farm profiles` and `farm dumps` read any."""

Content: TypeAlias = Callable[[ReportView], object]


@dataclass(frozen=True)
class More:
    """What other rooms found, for sections of theirs: of the run by section, of cells by the cell's id and
    then by section. `cells` may make it on demand: each cell is asked for once, when it is rendered.
    """

    run: Mapping[str, Any] = field(default_factory=dict)
    cells: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def together(*parts: More) -> More:
    """What several rooms found; what they make on demand stays so."""
    run = {name: one for part in parts for name, one in part.run.items()}
    return More(run, merged([part.cells for part in parts]))


@dataclass(frozen=True)
class Section:
    """A part of a report. `name` is its anchor and its template, partials/<name>.html.j2, which finds its
    content as `section`; `title` stands in the navigation; `content` is None where there is nothing to show.
    With `is_many` it is a sequence: each of it is a section with a title and a `number` of its own.
    """

    name: str
    title: str
    content: Content
    is_many: bool = False
    number: int | None = None

    @property
    def anchor(self) -> str:
        return self.name if self.number is None else f"{self.name}-{self.number}"


def of_other_rooms(name: str) -> Content:
    return lambda view: view.more.get(name)


SECTIONS = (
    Section("comparisons", "Comparisons", lambda view: view.comparisons),
    Section("table", "All cells", lambda view: view.table),
    Section("matrix", "Matrix", lambda view: None if view.is_large else view.matrices),
    Section("problems", "Failed and skipped", lambda view: view.problems or None),
    Section("outputs", "Outputs", lambda view: view.outputs),
    Section("operators", "Operators", of_other_rooms("operators")),
    Section("roofline", "Roofline", of_other_rooms("roofline")),
    Section("tensors", "Tensors", of_other_rooms("tensors")),
    Section("history", "History", of_other_rooms("history")),
    Section("plugin", "Plugins", of_other_rooms("plugins"), is_many=True),
    Section("cells", "Cells", lambda view: None if view.is_large else view.cells),
    Section("environment", "Environment", lambda view: view.environment),
    Section("method", "How the numbers were made", lambda view: view.method),
)
"""Of the page."""

CELL_SECTIONS = ("log", "context", "operators", "memory", "tensors")
"""Parts of a cell's details by other rooms: partials/cell_<name>.html.j2 shows `cell.more[name]`."""


def shown_sections(view: ReportView) -> list[tuple[Section, object]]:
    found = ((section, section.content(view)) for section in SECTIONS)
    return [shown for section, content in found if content is not None for shown in _each(section, content)]


def _each(section: Section, content: Any) -> list[tuple[Section, object]]:
    if not section.is_many:
        return [(section, content)]
    return [(replace(section, title=one.title, number=i), one) for i, one in enumerate(content, 1)]
