"""What a suite file asks for: models x variants under rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from farm.model.options import OptionSet


class Relation(StrEnum):
    """How a condition compares. `MATCHES` takes globs, is true when one of its values fits."""

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
class CellRule:
    """An include or exclude rule: a cell is meant when all conditions hold. `source` is `file:line`."""

    conditions: tuple[Condition, ...]
    source: str
    reason: str | None = None


@dataclass(frozen=True)
class SuiteModel:
    """A model by path (absolute) or the name of a bundled one; `input` as for --input, None: the usual."""

    name: str
    source: str
    file: Path | None = None
    bundled: str | None = None
    input: str | None = None
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class SuiteVariant:
    """A column of the suite, swept values included.

    `base` is the name in the file of the variant that it was swept from, or its own; `when` says which
    devices it is for.
    """

    name: str
    base: str
    source: str
    options: OptionSet = field(default_factory=OptionSet)
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Suite:
    """A suite file. `devices` is a selector; `options` stand under those of every variant.

    A cell is run when an `include` rule means it (or there is none) and no `exclude` rule does.
    """

    path: Path
    models: tuple[SuiteModel, ...]
    variants: tuple[SuiteVariant, ...] = ()
    options: OptionSet = field(default_factory=OptionSet)
    devices: str | None = None
    rounds: int | None = None
    include: tuple[CellRule, ...] = ()
    exclude: tuple[CellRule, ...] = ()
