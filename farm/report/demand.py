"""What sections show of cells, made when a cell is rendered: of a large run one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Found = Mapping[str, Any]
"""What is shown of a cell, by section."""


class OnDemand(Mapping[str, Found]):
    """By id of a cell. `make` is asked each time; None or nothing: the cell has no such section."""

    def __init__(self, cells: Sequence[str], make: Callable[[str], Found | None]) -> None:
        self._cells = dict.fromkeys(cells)
        self._make = make

    def __getitem__(self, cell: str) -> Found:
        found = self._make(cell) if cell in self._cells else None
        if not found:
            raise KeyError(cell)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)


def merged(parts: Sequence[Mapping[str, Found]]) -> Mapping[str, Found]:
    """The sections of a cell from all parts; of one name the last one."""

    def make(cell: str) -> Found:
        return {name: one for part in parts for name, one in part.get(cell, {}).items()}

    return OnDemand([cell for part in parts for cell in part], make)
