"""What the user asks for, by arguments or by a suite file: devices x models x variants under rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from farm.model.build import Build, Condition
from farm.model.comparison import Comparing
from farm.model.device import ALL_DEVICES
from farm.model.options import OptionSet, Variant
from farm.model.outputs import Check, Tolerance


@dataclass(frozen=True)
class CellRule:
    """An include or exclude rule: it applies to a cell when all conditions hold. `source` is `file:line`."""

    conditions: tuple[Condition, ...]
    source: str
    reason: str | None = None


@dataclass(frozen=True)
class ModelRequest:
    """A model by path or by the name of a bundled one; `input` as for --input, None: the default; `golden`
    has what its outputs should be.

    `name` None: after its file. `source` is `file:line` where a suite names it. `when` selects the devices.
    """

    file: Path | None = None
    bundled: str | None = None
    input: str | None = None
    name: str | None = None
    source: str | None = None
    when: tuple[Condition, ...] = ()
    golden: Path | None = None


@dataclass(frozen=True)
class VariantRequest:
    """A column of a suite, swept values included.

    `base` is the name in the file of the variant that it was swept from, or its own; `when` selects the
    devices.
    """

    name: str
    base: str
    source: str
    options: OptionSet = field(default_factory=OptionSet)
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Rules:
    """Which cells are wanted: those with a matching `include` rule (or when there is none), without a
    matching `exclude` rule, and whose model and variant allow the device (`when`). `source` is the file.
    """

    source: str = ""
    models: tuple[ModelRequest, ...] = ()
    variants: tuple[VariantRequest, ...] = ()
    include: tuple[CellRule, ...] = ()
    exclude: tuple[CellRule, ...] = ()


LAST_GOOD = "last-good"
"""As a nightly's baseline: the newest night that was good."""


@dataclass(frozen=True)
class Notice:
    """Who is told what is new: a `webhook`, a URL or `$VARIABLE` that has it, signed with the key in the
    variable `key`; or a `command` with its arguments.
    """

    webhook: str | None = None
    key: str | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class PluginNotice:
    """Who is told by the `plugin` of this name. `options` are JSON types for it; a text `$VARIABLE` in them
    stands for the value of that variable.
    """

    plugin: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Nightly:
    """How a suite is run each night. `baselines` are `last-good` or `tag:NAME`; `min_measured` is the part of
    its cells that a night has to measure; a device in use is waited for `wait_s` seconds; one that fails is
    in quarantine for `quarantine_days` (0: not).
    """

    baselines: tuple[str, ...] = (LAST_GOOD,)
    min_measured: float = 0.9
    wait_s: float = 0.0
    acknowledged: Path | None = None
    site: Path | None = None
    quarantine_days: float = 0.0
    notices: tuple[Notice | PluginNotice, ...] = ()


@dataclass(frozen=True)
class Suite:
    """A suite file. `devices` is a selector; `options` are the base of every variant; `builds` are names,
    some of which it has `defined`.
    """

    path: Path
    models: tuple[ModelRequest, ...]
    variants: tuple[VariantRequest, ...] = ()
    options: OptionSet = field(default_factory=OptionSet)
    devices: str | None = None
    rounds: int | None = None
    is_auto: bool = False
    precision: float | None = None
    budget_s: float | None = None
    minimum_effect: float | None = None
    max_undecided: int | None = None
    ab: tuple[str, ...] = ()
    canary: bool = True
    ceilings: bool = True
    include: tuple[CellRule, ...] = ()
    exclude: tuple[CellRule, ...] = ()
    check: Check | None = None
    tolerances: tuple[Tolerance, ...] = ()
    builds: tuple[str, ...] = ()
    defined: tuple[Build, ...] = ()
    profile_rounds: int | None = None
    nightly: Nightly = Nightly()

    @property
    def rules(self) -> Rules:
        return Rules(str(self.path), self.models, self.variants, self.include, self.exclude)


DEFAULT_ROUNDS = 3
DEFAULT_PAIRS = 10
"""Pairs of rounds where nothing else decides their number. The smallest exact p of ten is 0.002, which stays
below 5 % after many other comparisons are accounted for.
"""
MOST_ROUNDS = 1000
DEFAULT_PROFILE_ROUNDS = 3
"""Of a cell. Fewer cannot tell a change of an operator from chance (farm.analysis.operators.align)."""
MOST_PROFILE_ROUNDS = 100
DEFAULT_PRECISION = 0.02


@dataclass(frozen=True)
class Request:
    """What `farm bench` and `farm plan` are asked to do. `inventory` None: the default one;
    `variants` are complete, base options included. `builds` are names (none: each device's own runtime),
    which the suite has `defined` or the `builds_file` has (None: the one beside the inventory). `ab` are the
    names of builds, variants or models of which the first is compared with each other one; `is_auto`,
    `precision` and `budget_s` as in Sampling; `baseline` is a run to compare with. `check` None: outputs, if
    there is something to compare them with; `goldens` are `MODEL:FILE`. `profile_rounds` is how many rounds
    write a profile, of each cell that asks for one; `ceilings`: whether what its device can do is measured.
    `fresh` as in Sampling.
    """

    inventory: Path | None = None
    devices: str = ALL_DEVICES
    models: tuple[ModelRequest, ...] = ()
    variants: tuple[Variant, ...] = ()
    rounds: int = DEFAULT_ROUNDS
    seed: int = 0
    rules: Rules = Rules()
    is_auto: bool = False
    precision: float = DEFAULT_PRECISION
    budget_s: float | None = None
    comparing: Comparing = Comparing()
    ab: tuple[str, ...] = ()
    canary: bool = False
    ceilings: bool = True
    baseline: str | None = None
    check: Check | None = None
    goldens: tuple[str, ...] = ()
    tolerances: tuple[Tolerance, ...] = ()
    builds: tuple[str, ...] = ()
    builds_file: Path | None = None
    defined: tuple[Build, ...] = ()
    profile_rounds: int = DEFAULT_PROFILE_ROUNDS
    fresh: int | None = None
