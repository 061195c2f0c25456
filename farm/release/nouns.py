"""What the report of a release keeps of a run: small enough for 50 runs of 10,000 cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from farm.model.comparison import Effect, Verdict
from farm.model.matrix import column


class By(StrEnum):
    """What a version is."""

    BUILD = "build"
    RUN = "run"
    VARIANT = "variant"
    MODEL = "model"


class Name(NamedTuple):
    """A cell; each name is safe to show, and is in memory once."""

    device: str
    model: str
    variant: str
    build: str


class Key(NamedTuple):
    """A cell without its version. `rest` is its column: the variant, or the variant and the build."""

    device: str
    model: str
    rest: str

    @property
    def text(self) -> str:
        return "/".join(filter(None, self))


def key_of(name: Name, by: By) -> Key:
    match by:
        case By.BUILD:
            return Key(name.device, name.model, name.variant)
        case By.VARIANT:
            return Key(name.device, name.model, column("", name.build))
        case _:
            return Key(name.device, name.model, column(name.variant, name.build))


def version_of(name: Name, by: By, run_id: str) -> str:
    """The version that a cell is of."""
    match by:
        case By.BUILD:
            return name.build
        case By.VARIANT:
            return name.variant
        case By.MODEL:
            return name.model
        case By.RUN:
            return run_id


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison. `named` is the cell that says what was compared, `candidate` the new side's; `old` and
    `new` are versions. `ratio` with its 95 % bounds, `p` and `n` are those of the effect that the verdict is
    about (None: nothing was measured), `is_fresh`: of fresh pairs. `sentence` is empty for what is unchanged.
    `run` and `cell` are the places of the run and of the candidate in it.
    """

    named: Name
    candidate: Name
    by: By
    old: str
    new: str
    verdict: Verdict
    run: int
    cell: int
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p: float = 1.0
    n: int = 0
    is_paired: bool = True
    is_fresh: bool = False
    old_ms: float | None = None
    new_ms: float | None = None
    sentence: str = ""
    differences: tuple[str, ...] = ()

    @property
    def effect(self) -> Effect | None:
        """As farm.compare.words shows it."""
        if self.ratio is None:
            return None
        return Effect(self.ratio, self.low, self.high, None, None, self.p, self.n, self.is_paired)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Outputs of a cell that are wrong, or that nobody could compare (`is_unknown`) though it was asked for.
    `cell` is its place in its run, None where the run does not have it.
    """

    named: Name
    run: int
    cell: int | None
    against: str
    sentence: str
    is_unknown: bool = False


NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A cell without a time, or without a partner. `what`: `failed`, `skipped`, `cancelled`,
    `NOT_COMPARED`.
    """

    named: Name
    run: int
    cell: int | None
    what: str
    reason: str


@dataclass(frozen=True)
class RunFacts:
    """A run. `number` is its place among those of the report, `problem` says why it cannot be read, `notes`
    what is missing of it. `cells` has a name for each cell of its results, `doubles` the places of those that
    are a second name of another one or have another run's bytes. `lost` comparisons name cells that it does
    not have; `other` are of no change. `devices` has the class of each device,
    `environment` its facts by label, `programs` by build what its
    programs call themselves, with the first digits of their files' digest.
    """

    number: int
    run_id: str
    folder: Path
    problem: str | None = None
    notes: tuple[str, ...] = ()
    status: str = ""
    started_at: str = ""
    farm_version: str = ""
    decision: str | None = None
    max_undecided: int = 0
    minimum_effect: float = 0.03
    is_large: bool = False
    has_report: bool = False
    has_checks: bool = False
    cells: tuple[Name, ...] = ()
    doubles: frozenset[int] = frozenset()
    compared: tuple[Compared, ...] = ()
    canaries: int = 0
    canaries_changed: int = 0
    wrong: tuple[Wrong, ...] = ()
    unmeasured: tuple[Unmeasured, ...] = ()
    devices: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lost: int = 0
    other: int = 0

    def own(self) -> list[Name]:
        """Its cells, each once."""
        return [name for place, name in enumerate(self.cells) if place not in self.doubles]
