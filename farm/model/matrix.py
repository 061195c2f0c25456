"""The run matrix: which cells are run on which device, and which are skipped and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from farm.model.artifact import Artifact
from farm.model.build import INVENTORY_BUILD, Build
from farm.model.device import Device
from farm.model.options import OptionSet, Variant
from farm.model.request import Rules


class RoundKind(StrEnum):
    """Timed rounds give times; all other kinds are separate because they would disturb the times."""

    TIMED = "timed"
    PROFILE = "profile"
    DUMP = "dump"
    INFO = "info"
    SETUP = "setup"


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
class Model:
    """A model file. `name` is unique in a plan and safe in a path; `kind` is the interface of
    load_and_run that such a file goes to: `mdl` (a MegBrain graph) or `lite` (a packed model); a
    `testcase` holds its own inputs and is for `mdl`. `notes` are about its inputs.
    """

    name: str
    artifact: Artifact
    inputs: InputSpec = InputSpec()
    kind: Literal["mdl", "lite", "testcase"] = "mdl"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Round:
    """One process invocation of a cell: its kind and the options it is started with.

    `index` counts from 0 within the cell and kind.
    """

    kind: RoundKind
    index: int
    options: OptionSet


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
    """device x model x variant, with its preparations and rounds.

    `files` are the local files that its options read, by option.
    """

    device: Device
    model: Model
    variant: Variant
    rounds: tuple[Round, ...]
    preparations: tuple[Preparation, ...] = ()
    files: tuple[tuple[str, Artifact], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return cell_id(self.device, self.model, self.variant)


@dataclass(frozen=True)
class Skip:
    """A cell that is not run, and why."""

    device: Device
    model: Model
    variant: Variant
    reason: str

    @property
    def id(self) -> str:
        return cell_id(self.device, self.model, self.variant)


def cell_id(device: Device, model: Model, variant: Variant) -> str:
    """The id of a cell in the journal and in messages, unique in a plan."""
    return f"{device.name}/{model.name}/{variant.name}"


@dataclass(frozen=True)
class Plan:
    """Everything `farm bench` will do; `farm plan` prints it.

    The order of a device's rounds is drawn from `seed`, so a plan is reproducible. `rules` are
    evaluated again for each cell once its device was probed. `build` is what its cells run.
    """

    devices: tuple[Device, ...]
    models: tuple[Model, ...]
    variants: tuple[Variant, ...]
    cells: tuple[Cell, ...]
    skips: tuple[Skip, ...]
    rounds: int
    seed: int
    rules: Rules = Rules()
    build: Build = INVENTORY_BUILD
