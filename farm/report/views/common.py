"""Words and numbers that several parts of the page show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """How a cell ended, in three forms, so that colour is never the only one. `key` is a CSS class."""

    key: str
    symbol: str
    word: str


@dataclass(frozen=True)
class Count:
    """A number of cells or checks that ended in one way, or of comparisons with one verdict."""

    status: Status
    cells: int


@dataclass(frozen=True)
class Fact:
    """A label and its value."""

    label: str
    text: str
