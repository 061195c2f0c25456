"""Builds: which program or wheel runs the models on which device, by conditions; suites have these, too."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from farm.model.device import Runtime


class Relation(StrEnum):
    """How a condition compares. `MATCHES` takes globs and holds when one of them matches."""

    MATCHES = "matches"
    EQUAL = "=="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="


@dataclass(frozen=True)
class Condition:
    """One test of a device, model or variant, e.g. `cores >= 4`; `text` is as it was written.

    `subject` is `device`, `tag`, `group`, `attribute`, `model`, `variant`, or the name of a fact that
    only the probe knows (farm.inventory.conditions lists them). `key` names the attribute.
    """

    text: str
    subject: str
    relation: Relation
    values: tuple[str, ...]
    key: str | None = None
    negated: bool = False


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
