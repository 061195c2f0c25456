"""One execution of a plan, as it is kept in results.json and run.json."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from farm.errors import Fault, Stage
from farm.model.artifact import Produced
from farm.model.build import INVENTORY_BUILD
from farm.model.comparison import Comparing, Comparison, Duel, Phase
from farm.model.device import Facts, RuntimeKind
from farm.model.matrix import RoundKind, cell_id
from farm.model.measurement import TensorInfo
from farm.model.options import Value

SCHEMA_VERSION = 3
"""Version 2 says `preparations` where version 1 said `stages`; version 3 adds builds, phases and comparisons.
farm.store.codec reads all.
"""


class RoundStatus(StrEnum):
    """Whether a round or a preparation succeeded."""

    COMPLETED = "completed"
    FAILED = "failed"


class RunStatus(StrEnum):
    """Where a run is. `partial`: some cells failed; `failed`: none completed."""

    RUNNING = "running"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class DeviceStatus(StrEnum):
    OK = "ok"
    FAILED = "failed"


class Quality(StrEnum):
    """How reliable a round's value is. Only `ok` and `not-steady` are the result of a check."""

    OK = "ok"
    NOT_STEADY = "not-steady"
    FEW_ITERATIONS = "few-iterations"
    NO_TIMES = "no-times"
    BAD_TIMES = "bad-times"


class CellStatus(StrEnum):
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class RoundResult:
    """The result of one round. Times in ms, per iteration in order; `value_ms` is the round's one value:
    the median of its steady iterations. `argv` is what ran on the device; `notes` say what of its files was
    not kept. `phase` and `attempt` are the Round's.
    """

    kind: RoundKind
    index: int
    status: RoundStatus
    quality: Quality = Quality.OK
    started_at: str | None = None
    wall_s: float | None = None
    exit_code: int | None = None
    argv: tuple[str, ...] = ()
    load_ms: float | None = None
    prepare_ms: float | None = None
    warmup_ms: tuple[float, ...] = ()
    e2e_ms: tuple[float, ...] = ()
    host_ms: tuple[float, ...] = ()
    value_ms: float | None = None
    engine: str | None = None
    tensors: tuple[TensorInfo, ...] = ()
    fault: Fault | None = None
    cause: str | None = None
    error: str | None = None
    hint: str | None = None
    notes: tuple[str, ...] = ()
    artifacts: tuple[Produced, ...] = ()
    phase: Phase = Phase.SCREEN
    attempt: int = 0


@dataclass(frozen=True)
class PreparationResult:
    """A preparation of a cell: what it was, how long it took in seconds, and where its product comes from.

    `from_run` is the run that made it when it came from the cache, else None; `key` is the cache's.
    `round` is the round that made it, or that failed to.
    """

    kind: str
    status: RoundStatus
    seconds: float | None
    from_run: str | None
    key: str
    sha256: str | None
    round: RoundResult | None = None


@dataclass(frozen=True)
class Summary:
    """Over a cell's completed timed rounds. `median_ms` is the median of the rounds' values,
    `spread_ms` their range (max - min), p90 and min over all steady iterations.
    """

    rounds: int
    median_ms: float
    low_ms: float
    high_ms: float
    p90_ms: float
    min_ms: float
    load_ms: float | None = None
    first_ms: float | None = None

    @property
    def spread_ms(self) -> float:
        return self.high_ms - self.low_ms


@dataclass(frozen=True)
class CellResult:
    """One record of results.json; the shape is DESIGN's, section 7."""

    device: str
    model: str
    variant: str
    options: dict[str, Value]
    argv: tuple[str, ...]
    status: CellStatus
    stage: Stage | None = None
    fault: Fault | None = None
    cause: str | None = None
    error: str | None = None
    hint: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()
    reproduce: str | None = None
    preparations: tuple[PreparationResult, ...] = ()
    rounds: tuple[RoundResult, ...] = ()
    summary: Summary | None = None
    artifacts: tuple[Produced, ...] = ()
    build: str = INVENTORY_BUILD.name

    @property
    def id(self) -> str:
        return cell_id(self.device, self.model, self.variant, self.build)


@dataclass(frozen=True)
class Restart:
    """A device was restarted in the middle of a run; noticed `at` (ISO 8601, UTC), `during` a step, a round
    (`timed-1`) or a preparation, which was done again. `cell` is the id of the cell that these are of.
    """

    at: str
    during: str
    cell: str | None = None


@dataclass(frozen=True)
class DeviceRecord:
    """A device in a run: address, facts, what was pushed to it and removed from it, and its restarts.

    `pinned` are the settings that were held during the rounds, in words; `not_pinned` those that the device
    did not take, `not_restored` those that it did not give back, with the reasons.
    """

    name: str
    address: str
    runtime: RuntimeKind
    runtime_digest: str | None = None
    engine: str | None = None
    facts: Facts | None = None
    pushed_bytes: int = 0
    pushed_files: int = 0
    reused_files: int = 0
    agent_sha256: str | None = None
    status: DeviceStatus = DeviceStatus.OK
    error: str | None = None
    hint: str | None = None
    removed_bytes: int = 0
    removed_files: int = 0
    restarts: tuple[Restart, ...] = ()
    pinned: tuple[str, ...] = ()
    not_pinned: tuple[str, ...] = ()
    not_restored: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelRecord:
    name: str
    sha256: str
    size_bytes: int
    input: str


@dataclass(frozen=True)
class VariantRecord:
    name: str
    options: dict[str, Value]
    digest: str


@dataclass(frozen=True)
class Results:
    """results.json: everything that scripts and the report read.

    `losses` say what of the run could not be written or read again: empty when all is here. `duels` were
    planned; `comparisons` are what became of them, and of a comparison with another run.
    """

    schema_version: int
    run_id: str
    farm_version: str
    started_at: str
    ended_at: str | None
    status: RunStatus
    command: tuple[str, ...]
    seed: int
    rounds: int
    devices: tuple[DeviceRecord, ...]
    models: tuple[ModelRecord, ...]
    variants: tuple[VariantRecord, ...]
    cells: tuple[CellResult, ...]
    losses: tuple[str, ...] = ()
    duels: tuple[Duel, ...] = ()
    comparing: Comparing = Comparing()
    comparisons: tuple[Comparison, ...] = ()
