"""The order of one device's rounds. Pure: the same cells, duels and seed give the same order.

Setup rounds come first, then those that check outputs; the timed ones follow in blocks, and separate ones
come last, where they cannot disturb a time, profiles in blocks, too. Block k has round k of every cell, so
that drift of the device falls on all alike; cells of a duel are neighbours in it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from farm.model.comparison import Duel, Phase
from farm.model.matrix import BEFORE_TIMES, Cell, Round, RoundKind

Step = tuple[Cell, Round]
Block = tuple[Step, ...]


@dataclass(frozen=True)
class Schedule:
    """The rounds of a plan on one device: what comes before the timed ones, these in blocks, the rest."""

    first: Block
    blocks: tuple[Block, ...]
    last: Block

    @property
    def steps(self) -> Block:
        """All in their order."""
        return (*self.first, *(step for block in self.blocks for step in block), *self.last)


def schedule(
    cells: Sequence[Cell], seed: int, duels: Sequence[Duel] = (), *, later: Iterable[str] = ()
) -> Schedule:
    """The order of the rounds of a device's cells, without the timed ones of cells in `later` (ids)."""
    rounds = [(cell, one) for cell in cells for one in cell.rounds]
    not_now = frozenset(later)
    counts = {
        cell.id: sum(one.kind is RoundKind.TIMED for one in cell.rounds)
        for cell in cells
        if cell.id not in not_now
    }
    first = [step for step in rounds if step[1].kind in BEFORE_TIMES]
    last = [step for step in rounds if step[1].kind not in (*BEFORE_TIMES, RoundKind.TIMED)]
    return Schedule(
        tuple(sorted(first, key=lambda step: step[1].kind is not RoundKind.SETUP)),
        blocks(cells, counts, duels, Phase.SCREEN, seed),
        tuple(sorted(last, key=_number_of_profile)),
    )


def _number_of_profile(step: Step) -> float:
    """Profiles come in blocks, as the timed rounds do and for the same reason; all else comes after them."""
    return step[1].index if step[1].kind is RoundKind.PROFILE else math.inf


def blocks(
    cells: Sequence[Cell],
    counts: Mapping[str, int],
    duels: Sequence[Duel],
    phase: Phase,
    seed: int,
    first: int = 0,
) -> tuple[Block, ...]:
    """The timed rounds of a phase, `counts` by id of a cell: block k has round k of all that have so many;
    those from `first` on.

    Cells that are in duels with each other are one unit: they run back to back, in an order that is drawn
    anew for each block; so is the order of the units.
    """
    timed = {cell.id: step for cell in cells if (step := _timed(cell)) is not None}
    name = cells[0].device.name if cells else ""
    chance = random.Random(f"{seed}/{name}/{phase.value}{first or ''}")  # noqa: S311 - an order, no secret
    found = []
    for index in range(first, max((counts.get(cell.id, 0) for cell in cells), default=0)):
        here = [cell.id for cell in cells if counts.get(cell.id, 0) > index and cell.id in timed]
        units = [_in_order(unit, chance) for unit in _units(here, duels)]
        chance.shuffle(units)
        found.append(
            tuple(
                (timed[key][0], replace(timed[key][1], index=index, phase=phase))
                for unit in units
                for key in unit
            )
        )
    return tuple(block for block in found if block)


def _timed(cell: Cell) -> Step | None:
    return next(((cell, one) for one in cell.rounds if one.kind is RoundKind.TIMED), None)


Unit = tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]]
"""Cells that are connected by duels, that with the most duels first; and who is in a duel with whom."""


def _units(cells: Sequence[str], duels: Sequence[Duel]) -> list[Unit]:
    """The cells in groups, in the order of their first ones."""
    partners: dict[str, tuple[str, ...]] = dict.fromkeys(cells, ())
    for duel in duels:
        if duel.baseline in partners and duel.candidate in partners:
            partners[duel.baseline] += (duel.candidate,)
            partners[duel.candidate] += (duel.baseline,)
    units: list[Unit] = []
    taken: set[str] = set()
    for cell in cells:
        if cell not in taken:
            members = _connected(cell, partners)
            taken |= members
            most = max((one for one in cells if one in members), key=lambda one: len(partners[one]))
            units.append(((most, *(one for one in cells if one in members - {most})), partners))
    return units


def _connected(start: str, partners: Mapping[str, tuple[str, ...]]) -> set[str]:
    found, todo = {start}, [start]
    while todo:
        new = set(partners[todo.pop()]) - found
        found |= new
        todo += new
    return found


def _in_order(unit: Unit, chance: random.Random) -> list[str]:
    """One order of a unit: what is compared with many stands in their middle, each of them before or after it
    by chance; so two cells are A B or B A, and with three both pairs are neighbours.
    """
    members, partners = unit
    left = set(members)

    def around(centre: str) -> list[str]:
        left.discard(centre)
        others = [one for one in members if one in partners[centre] and one in left]
        left.difference_update(others)
        parts = [around(one) for one in others]
        chance.shuffle(parts)
        middle = (len(parts) + chance.randrange(2)) // 2
        before, after = parts[:middle], parts[middle:]
        return [*(key for part in before for key in part), centre, *(key for part in after for key in part)]

    return around(members[0])
