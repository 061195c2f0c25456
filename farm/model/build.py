"""Builds: which program or wheel runs the models on which device."""

from __future__ import annotations

from dataclasses import dataclass, field

from farm.model.condition import Condition
from farm.model.device import Runtime


@dataclass(frozen=True)
class BuildChoice:
    """The runtime for devices of which all conditions hold. `source` is `file:line`."""

    when: tuple[Condition, ...]
    runtime: Runtime
    source: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Build:
    """A named map from a condition to a runtime: what a release or a bisect compares.

    `source` is `file:line`. The first choice that applies counts; a build without choices is each device's
    own runtime, as the inventory has it. farm.plan.rules decides which one applies.
    """

    name: str
    choices: tuple[BuildChoice, ...] = ()
    source: str | None = field(default=None, compare=False)


INVENTORY_BUILD = Build("inventory")
"""What every run uses unless builds are named."""

BASELINE = "baseline"
"""The build of cells that have the bytes of another run; farm.plan.baseline makes them."""

CANARY = "canary"
"""The build's name of a cell that is measured twice: the same bytes under another name."""
