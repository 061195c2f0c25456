"""Which rounds are compared: completed ones whose quality is ok, pair by pair."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from farm.analysis.effects import is_time
from farm.analysis.quality import last_attempts
from farm.analysis.summary import of_deciding_phase
from farm.analysis.verdicts import FEWEST_PAIRS
from farm.model.comparison import Phase
from farm.model.matrix import RoundKind
from farm.model.run import CellResult, Quality, RoundResult, RoundStatus

MOST_DROPPED = 1 / 3
"""The part of the pairs of a phase that may be dropped."""

ITERATIONS = "iter"
"""The option for the iterations of a round. Runs of former versions have `few-iterations` also where the user
asked for so few.
"""


@dataclass(frozen=True)
class Pairs:
    """Times in ms of one phase, pair by pair in the order of their index; `dropped` says how many pairs do
    not count for which reason.
    """

    baseline_ms: tuple[float, ...] = ()
    candidate_ms: tuple[float, ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()

    @property
    def count(self) -> int:
        return len(self.baseline_ms)

    @property
    def lost(self) -> int:
        return sum(number for _, number in self.dropped)

    @property
    def total(self) -> int:
        return self.count + self.lost

    @property
    def told(self) -> str:
        """`3 of 12 pairs do not count: 2 throttled, 1 busy`."""
        reasons = ", ".join(f"{number} {why}" for why, number in self.dropped)
        return f"{self.lost} of {self.total} pairs do{'es' if self.lost == 1 else ''} not count: {reasons}"

    @property
    def refusal(self) -> str | None:
        """Why these pairs give no answer; None where they do."""
        if self.count < FEWEST_PAIRS:
            few = f"{self.count} pair{'' if self.count == 1 else 's'} of rounds, {FEWEST_PAIRS} are needed"
            return f"{few} ({self.told})" if self.dropped else few
        return self.told if self.is_spoilt else None

    @property
    def is_spoilt(self) -> bool:
        """Whether too many were dropped for those that are left to be a fair choice."""
        return self.lost > MOST_DROPPED * self.total


def pairs(baseline: CellResult, candidate: CellResult, phase: Phase) -> Pairs:
    """The pairs of a phase."""
    found = pairs_of_rounds(baseline, candidate, phase)
    return Pairs(
        tuple(one.value_ms for one, _ in found.good if one.value_ms is not None),
        tuple(other.value_ms for _, other in found.good if other.value_ms is not None),
        found.dropped,
    )


class PairsOfRounds(NamedTuple):
    """As Pairs, with all that is known of each round; those in `good` have a value."""

    good: tuple[tuple[RoundResult, RoundResult], ...]
    dropped: tuple[tuple[str, int], ...]


def pairs_of_rounds(baseline: CellResult, candidate: CellResult, phase: Phase) -> PairsOfRounds:
    """The pairs of a phase. Of a pair that was repeated, the last attempt that both sides have counts.

    A round without its other half is no pair that was dropped: one side may be in several duels, of which
    another one got more rounds.
    """
    before, after = _attempts(baseline, phase), _attempts(candidate, phase)
    good: list[tuple[RoundResult, RoundResult]] = []
    dropped: Counter[str] = Counter()
    for index in sorted(before.keys() & after.keys()):
        common = before[index].keys() & after[index].keys()
        if not common:
            continue
        one, other = before[index][max(common)], after[index][max(common)]
        why = fault(baseline, one) or fault(candidate, other)
        if why is None:
            good.append((one, other))
        else:
            dropped[why] += 1
    return PairsOfRounds(tuple(good), tuple(sorted(dropped.items())))


class Values(NamedTuple):
    """A cell's values that may be compared, in ms and in the order in which they ran, and why the others of
    its rounds do not count.
    """

    values: tuple[float, ...]
    dropped: tuple[str, ...]


def values_ms(cell: CellResult, phase: Phase | None = None) -> Values:
    """Of one phase, or of the one that the cell's own number is of; of a round that was repeated, the last
    attempt.
    """
    last = last_attempts(timed(cell))
    chosen = of_deciding_phase(last) if phase is None else [one for one in last if one.phase is phase]
    judged = [(one, fault(cell, one)) for one in chosen]
    good = (one.value_ms for one, why in judged if why is None and one.value_ms is not None)
    return Values(tuple(good), tuple(why for _, why in judged if why is not None))


def fault(cell: CellResult, one: RoundResult) -> str | None:
    """Why a round is not compared; None where it is."""
    if one.status is not RoundStatus.COMPLETED:
        return "failed"
    few_on_purpose = one.quality is Quality.FEW_ITERATIONS and ITERATIONS in cell.options
    if one.quality is not Quality.OK and not few_on_purpose:
        return str(one.quality)
    if one.value_ms is None or not is_time(one.value_ms):
        return "without a time"
    return None


def failed_round(cell: CellResult) -> RoundResult | None:
    """The first timed round that failed."""
    return next((one for one in timed(cell) if one.status is RoundStatus.FAILED), None)


def timed(cell: CellResult) -> tuple[RoundResult, ...]:
    """A cell's timed rounds, in the order in which they ran."""
    return tuple(one for one in cell.rounds if one.kind is RoundKind.TIMED)


def _attempts(cell: CellResult, phase: Phase) -> dict[int, dict[int, RoundResult]]:
    """By index and attempt."""
    found: dict[int, dict[int, RoundResult]] = {}
    for one in timed(cell):
        if one.phase is phase:
            found.setdefault(one.index, {})[one.attempt] = one
    return found
