"""What a run came to, item by item: the same for every format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from farm.compare.outcome import UNDECIDED, canaries, is_undecided, is_unknown, ranked
from farm.model.comparison import Verdict
from farm.model.outputs import OutputVerdict
from farm.model.run import CellResult, CellStatus, Results


class Weight(StrEnum):
    """What an item is to who decides."""

    BAD = "bad"
    """A confirmed regression or wrong outputs."""
    BROKEN = "broken"
    """Not measured, or more is undecided than may be."""
    OPEN = "open"
    """Undecided, and allowed to be."""
    GOOD = "good"


@dataclass(frozen=True)
class Item:
    """One thing that passed or did not. `kind` is a word for scripts: a verdict, a status."""

    device: str
    name: str
    kind: str
    weight: Weight
    text: str


def items(results: Results) -> Iterator[Item]:
    """Comparisons, outputs, canaries, then the cells; the worst of each first."""
    undecided = Weight.BROKEN if is_undecided(results) else Weight.OPEN
    yield from _compared(results, undecided)
    for check in results.outputs:
        if check.verdict is OutputVerdict.WRONG:
            yield Item(check.device, check.cell, "wrong-outputs", Weight.BAD, check.sentence)
        elif is_unknown(check):
            yield Item(check.device, check.cell, "unknown-outputs", undecided, check.sentence)
    seen = canaries(results.comparisons)
    if seen.total:
        text = f"{seen.changed} of {seen.total} cells differed from themselves"
        weight = Weight.BROKEN if seen.is_out_of_bounds else Weight.GOOD
        yield Item("", "canaries", "canaries", weight, text)
    order = list(CellStatus)
    for cell in sorted(
        results.cells, key=lambda one: (one.status is not CellStatus.FAILED, order.index(one.status))
    ):
        yield _measured(cell)


def _compared(results: Results, undecided: Weight) -> Iterator[Item]:
    is_doubtful = canaries(results.comparisons).is_out_of_bounds
    for one in ranked(results.comparisons):
        weight = Weight.GOOD
        if one.verdict is Verdict.SLOWER:
            weight = undecided if is_doubtful else Weight.BAD
        elif one.verdict in UNDECIDED:
            weight = undecided
        yield Item(one.device, one.candidate, one.verdict, weight, one.sentence)


def _measured(cell: CellResult) -> Item:
    weight = {CellStatus.COMPLETED: Weight.GOOD, CellStatus.FAILED: Weight.BROKEN}.get(
        cell.status, Weight.OPEN
    )
    text = cell.error or cell.reason or ""
    if cell.stage:
        text = f"{cell.stage}: {text}"
    if cell.hint:
        text += f"\ntry: {cell.hint}"
    return Item(cell.device, cell.id, cell.status, weight, text)
