"""What a plugin makes for a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Each row has a value for each column; numbers stand on the right, None is a dash."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a report: `title` stands in its table of contents, `content` are paragraphs and tables. All
    of it is text: the report's own template shows it, and HTML in it is shown as it is written.
    """

    title: str
    content: Sequence[str | Table]
