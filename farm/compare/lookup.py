"""What a run has of a cell or a duel, by its name: a large run is looked through once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from farm.model.comparison import Duel, Earlier
from farm.model.run import CellResult, Results

NOT_CONFIRMED = "no fresh pairs were measured to confirm it"


@dataclass(frozen=True)
class Lookup:
    """By id of a cell: the cell, what an earlier run has of it, what is wrong with its outputs. By the ids of
    a duel: why it got fewer fresh pairs than it wanted. By device: why rounds were left out.
    """

    cells: Mapping[str, CellResult]
    earlier: Mapping[str, Earlier]
    wrong: Mapping[str, str]
    short: Mapping[tuple[str, ...], str]
    cut: Mapping[str, str]

    def why_short(self, duel: Duel) -> str:
        """Why a duel was not confirmed, as the run decided it."""
        told = self.short.get((duel.baseline, duel.candidate))
        return told or self.cut.get(duel.candidate.partition("/")[0]) or NOT_CONFIRMED


def lookup(results: Results) -> Lookup:
    allotted = (one for phase in results.phases for one in phase.allotments)
    return Lookup(
        cells={cell.id: cell for cell in results.cells},
        earlier={one.cell: one for one in results.earlier},
        wrong={
            cell: f"the outputs of {cell} are wrong: {one.sentence}" for cell, one in results.wrong.items()
        },
        short={one.cells: one.reason for one in allotted if one.rounds < one.wanted},
        cut={phase.device: phase.cut for phase in results.phases if phase.cut},
    )
