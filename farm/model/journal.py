"""What is written to a run's journal: every fact of a run, one event a line. See docs/run-directory.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from farm.errors import Fault, Stage
from farm.model.comparison import PhasePlan
from farm.model.outputs import OutputCheck
from farm.model.run import CellStatus, DeviceRecord, PreparationResult, RoundResult, RunStatus

JOURNAL_VERSION = 1
"""The version of the events' shapes, of those that they hold too; farm.store.journal reads all before it."""


@dataclass(frozen=True, kw_only=True)
class Begin:
    """The first line."""

    event: Literal["begin"] = "begin"
    version: int
    run_id: str


@dataclass(frozen=True, kw_only=True)
class DeviceChanged:
    """All that is known of a device; the last one counts."""

    event: Literal["device"] = "device"
    device: DeviceRecord


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What runs these cells: the digest of their program, None where it is not known."""

    event: Literal["deployed"] = "deployed"
    cells: tuple[str, ...]
    runtime_digest: str | None


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The preparations of a cell."""

    event: Literal["preparations"] = "preparations"
    cell: str
    preparations: tuple[PreparationResult, ...]


@dataclass(frozen=True, kw_only=True)
class RoundEnded:
    """A round of a cell, with all its facts."""

    event: Literal["round"] = "round"
    cell: str
    round: RoundResult


@dataclass(frozen=True, kw_only=True)
class PhasePlanned:
    """How many rounds a phase of a device has, before its first one; the last one of a phase counts."""

    event: Literal["phase"] = "phase"
    plan: PhasePlan


@dataclass(frozen=True, kw_only=True)
class CellEnded:
    """A cell gets no more rounds, and why. The fields are those of CellResult."""

    event: Literal["cell"] = "cell"
    cell: str
    status: CellStatus
    stage: Stage | None = None
    fault: Fault | None = None
    cause: str | None = None
    error: str | None = None
    hint: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()
    reproduce: str | None = None


@dataclass(frozen=True, kw_only=True)
class OutputsCompared:
    """What became of check rounds. Of a cell against one thing the last one counts."""

    event: Literal["outputs"] = "outputs"
    checks: tuple[OutputCheck, ...]


@dataclass(frozen=True, kw_only=True)
class FarmFault:
    """A mistake of farm itself, met while it worked on a device."""

    event: Literal["farm-fault"] = "farm-fault"
    device: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """A later process goes on with the run: how these cells had ended does not count any more."""

    event: Literal["resumed"] = "resumed"
    at: str
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RunEnded:
    """The last line of a run that its controller brought to an end, unless it is resumed."""

    event: Literal["end"] = "end"
    status: RunStatus
    ended_at: str


Event: TypeAlias = (
    Begin
    | DeviceChanged
    | Deployed
    | Prepared
    | RoundEnded
    | PhasePlanned
    | CellEnded
    | OutputsCompared
    | FarmFault
    | Resumed
    | RunEnded
)
