"""What is shown of the context of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

from farm.report.views.common import Status


@dataclass(frozen=True)
class ContextRow:
    """A fact that the two sides do not share."""

    label: str
    baseline: str
    candidate: str
    mark: Status


@dataclass(frozen=True)
class Context:
    """The two sides of a comparison. `anchor` is that of the baseline's detail, None where this report does
    not have it; `same` names the facts that both share.
    """

    baseline: str
    anchor: str | None
    candidate: str
    rows: tuple[ContextRow, ...]
    same: str


@dataclass(frozen=True)
class Contexts:
    """Of a cell: one for each comparison."""

    comparisons: tuple[Context, ...]
    left_out: int
