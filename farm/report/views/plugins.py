"""What is shown of plugins: sections that other packages made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PluginValue:
    """A value of a table; numbers stand on the right."""

    text: str
    is_number: bool


@dataclass(frozen=True)
class PluginTable:
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[PluginValue, ...], ...]
    left_out: int


@dataclass(frozen=True)
class PluginPart:
    """A paragraph or a table."""

    paragraph: str | None
    table: PluginTable | None


@dataclass(frozen=True)
class PluginSection:
    """`source` names plugin and package; `problem` says why there is nothing of it."""

    title: str
    source: str
    content: tuple[PluginPart, ...] = ()
    left_out: int = 0
    problem: str | None = None
