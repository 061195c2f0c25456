"""One execution of a plan, as it is kept in results.json and run.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from farm.errors import Fault, Stage
from farm.model.artifact import Produced
from farm.model.build import INVENTORY_BUILD
from farm.model.comparison import Comparing, Comparison, Duel, Earlier, Phase, PhasePlan
from farm.model.device import Facts, RuntimeKind
from farm.model.matrix import RoundKind, Sampling, cell_id, column
from farm.model.measurement import TensorInfo
from farm.model.operators import Ceilings
from farm.model.options import Value
from farm.model.outputs import Checking, CheckInput, OutputCheck, OutputVerdict
from farm.model.telemetry import Telemetry

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
    """How reliable a round's value is. Only `ok` rounds are compared; farm.analysis.quality decides."""

    OK = "ok"
    THROTTLED = "throttled"
    """The device was slowed down for its heat or power."""
    FREQUENCY_DRIFT = "frequency-drift"
    """The cores' frequency changed, and nothing says that heat was why."""
    BUSY = "busy"
    """Other processes, or other virtual machines, took processor time."""
    MIGRATED = "migrated"
    """Threads moved between cores of different kinds, or were on others than asked for."""
    NOT_STEADY = "not-steady"
    FEW_ITERATIONS = "few-iterations"
    """Too few to tell whether they were steady, and nobody asked for so few."""
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
    not kept. `phase` and `attempt` are the Round's. `quality_evidence` says in words why the quality is not
    `ok`; `telemetry` is what the device said of itself meanwhile. `waited_s`: for how long the round was held
    back until the device was cool and idle.
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
    quality_evidence: str | None = None
    telemetry: Telemetry | None = None
    waited_s: float | None = None


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
    `spread_ms` their range (max - min), p90 and min over all steady iterations. The median of such rounds is
    within `median_low_ms` and `median_high_ms` with 95 % confidence (None: too few rounds to tell).
    """

    rounds: int
    median_ms: float
    low_ms: float
    high_ms: float
    p90_ms: float
    min_ms: float
    load_ms: float | None = None
    first_ms: float | None = None
    median_low_ms: float | None = None
    median_high_ms: float | None = None

    @property
    def spread_ms(self) -> float:
        return self.high_ms - self.low_ms


@dataclass(frozen=True)
class CellResult:
    """One record of results.json; the shape is DESIGN's, section 7.

    What its numbers belong to are SHA-256: `runtime_digest` of its program (None where it is not known), of
    its model, its inputs and its options with the files that these read (docs/run-directory.md).
    """

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
    runtime_digest: str | None = None
    model_sha256: str | None = None
    input_sha256: str | None = None
    options_sha256: str | None = None

    @property
    def id(self) -> str:
        return cell_id(self.device, self.model, self.variant, self.build)

    @property
    def column(self) -> str:
        """Its place in a table of devices and models: `nchw44`, or `nchw44@release`."""
        return column(self.variant, self.build)


@dataclass(frozen=True)
class Restart:
    """A device was restarted in the middle of a run; noticed `at` (ISO 8601, UTC), `during` a step, a round
    (`timed-1`) or a preparation, which was done again. `cell` is the id of the cell that these are of.
    """

    at: str
    during: str
    cell: str | None = None


@dataclass(frozen=True)
class Outage:
    """The connection to a device was lost, noticed `at` (ISO 8601, UTC), `during` a step, a round or a
    preparation of `cell` (its id), which went on there or was done again. It was there again after `lasted_s`
    seconds; where it was not (`is_over` is false), it was given up after them.
    """

    at: str
    during: str
    cell: str | None
    lasted_s: float
    is_over: bool


MOST_OUTAGES = 100
"""That are kept of a device: the first ones."""


@dataclass(frozen=True)
class DeviceRecord:
    """A device in a run: address, facts, what was pushed to it and removed from it, its restarts, and how
    often its connection was lost (`outages`, the first 100).

    `pinned` are the settings that were held during the rounds, in words; `not_pinned` those that the device
    did not take, `not_restored` those that it did not give back, with the reasons. `tags`: the inventory's.
    `ceilings` are those of the core sets of its profiled cells, `no_ceilings` say why others are not known.
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
    tags: tuple[str, ...] = ()
    ceilings: tuple[Ceilings, ...] = ()
    no_ceilings: tuple[str, ...] = ()
    outages: tuple[Outage, ...] = ()


@dataclass(frozen=True)
class ModelRecord:
    """A model of a run. `check_inputs` are what its check rounds got, `golden` is the name of the file that
    they are compared with.
    """

    name: str
    sha256: str
    size_bytes: int
    input: str
    check_inputs: tuple[CheckInput, ...] = ()
    golden: str | None = None


@dataclass(frozen=True)
class VariantRecord:
    name: str
    options: dict[str, Value]
    digest: str


@dataclass(frozen=True)
class Results:
    """results.json: everything that scripts and the report read.

    `losses` say what of the run could not be written or read again: empty when all is here. `duels` were
    planned; `comparisons` are what became of them, and of a comparison with another run. `outputs` are what
    became of the check rounds. `phases` say how many rounds followed the first ones, and why, as it was
    decided before they began; `earlier` is what an earlier run has of cells that are measured again only
    where it has to be confirmed. `resumed` says when a later process went on with the run (ISO 8601, UTC).
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
    sampling: Sampling | None = None
    phases: tuple[PhasePlan, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    checking: Checking = Checking()
    outputs: tuple[OutputCheck, ...] = ()
    resumed: tuple[str, ...] = ()

    @cached_property
    def wrong(self) -> Mapping[str, OutputCheck]:
        """The first check of each cell that found wrong outputs, by the cell's id."""
        return {one.cell: one for one in reversed(self.outputs) if one.verdict is OutputVerdict.WRONG}

    @property
    def columns(self) -> tuple[str, ...]:
        """Variants in the order of the plan, each with every build that it was run with."""
        met: dict[str, dict[str, None]] = {variant.name: {} for variant in self.variants}
        for cell in self.cells:
            met.setdefault(cell.variant, {})[cell.column] = None
        return tuple(column for name, columns in met.items() for column in columns or (name,))
