"""What is shown of cells: their details, and those that failed or were skipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from farm.report.figures.view import RoundsFigure, Tracks
from farm.report.views.common import Fact, Status


@dataclass(frozen=True)
class FileLink:
    """A file of the run directory. `href` is None when its path is not safe to link."""

    role: str
    path: str
    href: str | None
    size: str
    sha256: str


@dataclass(frozen=True)
class RoundRow:
    """One round: `figures` are load, first inference, median, p90 and min, in ms; `device` is what the device
    was like; `error` why it failed or does not count; `logs` what it printed.
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
    logs: tuple[FileLink, ...] = ()


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

    @property
    def has_logs(self) -> bool:
        return any(one.logs for one in self.rounds)


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
