"""The cells of a run under names that every format can hold: visible, on one line, bounded, and different."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from farm.analysis.quality import last_attempts
from farm.analysis.summary import is_counted, of_deciding_phase
from farm.model.matrix import cell_id
from farm.model.run import CellResult, Results, RoundResult
from farm.visible import one_line

LONGEST = 200
"""Characters of a name: readers of lines and of labels have limits of their own."""

_WHOLE = 1 << 40


@dataclass(frozen=True)
class Named:
    """A cell under names that are safe to show; `id` is unique in its run. `counted` are the rounds that its
    summary is of, with their values in ms.
    """

    device: str
    model: str
    variant: str
    build: str
    id: str
    cell: CellResult
    counted: tuple[RoundResult, ...]

    @property
    def values_ms(self) -> tuple[float, ...]:
        return tuple(one.value_ms for one in self.counted if one.value_ms is not None)


def named(results: Results) -> Iterator[Named]:
    """The cells in the order of the plan. Two whose names look alike once they are safe differ in the last
    part of their id and of their variant.
    """
    taken: set[str] = set()
    for cell in results.cells:
        device, model, variant, build = map(safe, (cell.device, cell.model, cell.variant, cell.build))
        first, number = variant, 1
        while (id_ := cell_id(device, model, variant, build)) in taken:
            number += 1
            variant = f"{first} #{number}"
        taken.add(id_)
        yield Named(device, model, variant, build, id_, cell, counted_rounds(cell))


def counted_rounds(cell: CellResult) -> tuple[RoundResult, ...]:
    """As farm.analysis.summary takes them: of repeated rounds the last, where there are fresh ones these."""
    return tuple(of_deciding_phase([one for one in last_attempts(cell.rounds) if is_counted(one)]))


def safe(text: str) -> str:
    """A name on one line. A long one is cut, and digits of its digest tell it from others."""
    line = one_line(text, _WHOLE)
    if len(line) <= LONGEST:
        return line
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{line[: LONGEST - 9]}~{digest}"
