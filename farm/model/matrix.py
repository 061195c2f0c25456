"""The run matrix: which cells are run on which device, and which are skipped and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Literal

from farm.model.artifact import Artifact
from farm.model.build import INVENTORY_BUILD, Build
from farm.model.comparison import Comparing, Duel, Earlier, Phase
from farm.model.device import Device
from farm.model.measurement import TensorInfo
from farm.model.options import OptionSet, Variant
from farm.model.outputs import Checking, CheckInput
from farm.model.request import Rules


class RoundKind(StrEnum):
    """Timed rounds give times; all other kinds are separate because they would disturb the times."""

    TIMED = "timed"
    CHECK = "check"
    """Outputs, to be compared before there are times; one that fails does not fail its cell."""
    TENSORS = "tensors"
    """Every tensor, for where outputs differ: as a check round, it costs its cell nothing."""
    PROFILE = "profile"
    DUMP = "dump"
    INFO = "info"
    SETUP = "setup"


CHECKS = frozenset({RoundKind.CHECK, RoundKind.TENSORS})
"""Kinds of rounds that show what is computed: they get the inputs of checks."""

BEFORE_TIMES = CHECKS | {RoundKind.SETUP}
"""Kinds of rounds that come before the timed ones; all others come after them."""


@dataclass(frozen=True)
class InputFile:
    """One input that comes from a file: `tensor` is its name in the model, None where not given."""

    tensor: str | None
    artifact: Artifact


@dataclass(frozen=True)
class InputSpec:
    """The value of `--input`. `text` is the user's; `template` has `{0}`, `{1}` ... where files go.

    An empty spec (`text == ""`) leaves the inputs to the program (zeros).
    """

    text: str = ""
    template: str = ""
    files: tuple[InputFile, ...] = ()


@dataclass(frozen=True)
class Golden:
    """What a model's outputs should be: a .npy for each, with the output's name (empty: the only one).
    `name` is what the user calls it.
    """

    name: str
    files: tuple[tuple[str, Artifact], ...]


@dataclass(frozen=True)
class CheckData:
    """What the check rounds of a model get, and what they should give. `inputs` None: those of the other
    rounds.
    """

    inputs: InputSpec | None = None
    records: tuple[CheckInput, ...] = ()
    golden: Golden | None = None


@dataclass(frozen=True)
class Model:
    """A model file. `name` is unique in a plan and safe in a path; `kind` is the interface of
    load_and_run that such a file goes to: `mdl` (a MegBrain graph) or `lite` (a packed model); a
    `testcase` holds its own inputs and is for `mdl`. `notes` are about its inputs; `left_out` are those that
    nobody gave data for (a shape alone is none), None where it is not known; `is_reshaped` says that the data
    given have another shape than the model's own. `check` is None without check rounds.
    """

    name: str
    artifact: Artifact
    inputs: InputSpec = InputSpec()
    kind: Literal["mdl", "lite", "testcase"] = "mdl"
    notes: tuple[str, ...] = ()
    left_out: tuple[TensorInfo, ...] | None = None
    is_reshaped: bool = False
    check: CheckData | None = None


@dataclass(frozen=True)
class Round:
    """One process invocation of a cell: its kind and the options it is started with.

    `index` counts from 0 within the cell, kind and phase; `attempt` from 0 within these, where a round was
    repeated for its quality. Rounds of a duel with the same phase, index and attempt are a pair.
    """

    kind: RoundKind
    index: int
    options: OptionSet
    phase: Phase = Phase.SCREEN
    attempt: int = 0


@dataclass(frozen=True)
class Preparation:
    """Work that is done once before a cell's rounds: `kind` is `layout-transform`, `fast-run` or `tensorrt`.

    It writes `file_name` (role `role`), named by the option `product`; the rounds after it get that file
    as the option `feeds`, or as their model where `feeds` is `model`.
    """

    kind: str
    options: OptionSet
    product: str
    role: str
    feeds: str
    file_name: str


@dataclass(frozen=True)
class Cell:
    """device x model x variant x build, with its preparations and rounds.

    `files` are the local files that its options read, by option. `device` has the runtime that the build
    means for it; `build` is the build's name.
    """

    device: Device
    model: Model
    variant: Variant
    rounds: tuple[Round, ...]
    preparations: tuple[Preparation, ...] = ()
    files: tuple[tuple[str, Artifact], ...] = ()
    notes: tuple[str, ...] = ()
    build: str = INVENTORY_BUILD.name

    @property
    def id(self) -> str:
        return cell_id(self.device.name, self.model.name, self.variant.name, self.build)

    @property
    def name(self) -> str:
        """Of a cell on its device, for people: `resnet18 nchw44@release`."""
        return " ".join(self.id.split("/")[1:])


@dataclass(frozen=True)
class Skip:
    """A cell that is not run, and why."""

    device: Device
    model: Model
    variant: Variant
    reason: str
    build: str = INVENTORY_BUILD.name

    @property
    def id(self) -> str:
        return cell_id(self.device.name, self.model.name, self.variant.name, self.build)

    @property
    def column(self) -> str:
        """As that of CellResult."""
        return column(self.variant.name, self.build)


def column(variant: str, build: str) -> str:
    """Where a cell stands in a table of devices and models: `nchw44`, or `nchw44@release`."""
    return variant if build == INVENTORY_BUILD.name else f"{variant}@{build}"


def cell_id(device: str, model: str, variant: str, build: str = INVENTORY_BUILD.name) -> str:
    """The id of a cell in the journal and in messages, unique in a plan. No name has a `/` or `@`."""
    return f"{device}/{model}/{column(variant, build)}"


@dataclass(frozen=True)
class Sampling:
    """How many timed rounds each cell gets.

    `rounds` is the number of the screen. With `is_auto` that is the pilot: it fixes how many fresh rounds
    follow, so that the 95 % interval of a comparison's ratio, or else of the cell's median, is within
    `precision` (a fraction) to both sides; all of them together take at most `budget_s` on each device (None:
    no limit). `fresh`: how many fresh pairs a confirmation has, where who asks knows the noise.
    """

    rounds: int
    is_auto: bool = False
    precision: float = 0.02
    budget_s: float | None = None
    fresh: int | None = None

    @property
    def fresh_pairs(self) -> int:
        """How many a confirmation has where the noise does not say it (without `auto`)."""
        return self.fresh or max(FRESH_PAIRS, self.rounds)


FRESH_PAIRS = 20
"""Fewer show a change only where few others are confirmed: see docs/measurement.md."""


@dataclass(frozen=True)
class Plan:
    """Everything `farm bench` will do; `farm plan` prints it.

    The order of a device's rounds is drawn from `seed`, so a plan is reproducible. `rules` are
    evaluated again for each cell once its device was probed. `builds` are what its cells run; `duels` are
    the pairs of cells that are compared. Cells in `earlier` have rounds of an earlier run: they are measured
    where their duel has to be confirmed, and not before. `checking` says how outputs are
    compared; `measures_ceilings`, whether those of profiled cells are measured that nobody gives.
    """

    devices: tuple[Device, ...]
    models: tuple[Model, ...]
    variants: tuple[Variant, ...]
    cells: tuple[Cell, ...]
    skips: tuple[Skip, ...]
    rounds: int
    seed: int
    rules: Rules = Rules()
    builds: tuple[Build, ...] = (INVENTORY_BUILD,)
    duels: tuple[Duel, ...] = ()
    comparing: Comparing = Comparing()
    sampling: Sampling | None = None
    earlier: tuple[Earlier, ...] = ()
    checking: Checking = Checking()
    measures_ceilings: bool = True

    @cached_property
    def cells_on(self) -> Mapping[str, tuple[Cell, ...]]:
        """The cells of each device, by its name: plans have a thousand devices, with twenty cells each."""
        found: dict[str, list[Cell]] = {}
        for cell in self.cells:
            found.setdefault(cell.device.name, []).append(cell)
        return {name: tuple(cells) for name, cells in found.items()}

    @cached_property
    def duels_on(self) -> Mapping[str, tuple[Duel, ...]]:
        """Those with a cell of each device, by its name."""
        name_of = {cell.id: cell.device.name for cell in self.cells}
        found: dict[str, list[Duel]] = {}
        for duel in self.duels:
            for name in dict.fromkeys(name_of.get(cell) for cell in (duel.baseline, duel.candidate)):
                if name is not None:
                    found.setdefault(name, []).append(duel)
        return {name: tuple(duels) for name, duels in found.items()}

    @cached_property
    def duel_of(self) -> Mapping[str, Duel]:
        """The first of each candidate, by its id, canaries aside."""
        return {duel.candidate: duel for duel in reversed(self.duels) if not duel.is_canary}

    @cached_property
    def doubles(self) -> frozenset[str]:
        """The other sides of canaries, which are the same cells."""
        return frozenset(duel.candidate for duel in self.duels if duel.is_canary)

    @cached_property
    def earlier_of(self) -> Mapping[str, Earlier]:
        """What earlier runs have, by cell."""
        return {one.cell: one for one in self.earlier}

    @cached_property
    def device_of(self) -> Mapping[str, Device]:
        """Devices as the inventory has them, by name."""
        return {device.name: device for device in self.devices}

    @property
    def sampled(self) -> Sampling:
        return self.sampling or Sampling(self.rounds)
