"""Conditions of suites and builds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
