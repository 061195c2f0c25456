"""What a screen leads to: which duels are confirmed, and how many fresh rounds they and lone cells get; and
before that, which of them get a longer pilot.

Pure, and called when a device's pilot is over and when its screen is: nobody looks while these go on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from farm.analysis.effects import paired, unpaired
from farm.analysis.sample_size import LONG_PAIRS, MORE_PILOT_PAIRS, pairs_to_decide, rounds_to_resolve
from farm.analysis.verdicts import FEWEST_PAIRS, screen_settles
from farm.compare.rounds import pairs, values_ms
from farm.model.comparison import Allotment, Comparing, Duel, Earlier, Effect, Phase, PhasePlan
from farm.model.matrix import Sampling
from farm.model.run import CellResult, CellStatus
from farm.visible import visible

MARGIN = 0.95
"""The part of the time that is given away: rounds do not take as long as those before, to the second."""

NO_MORE = frozenset({CellStatus.FAILED, CellStatus.SKIPPED})


@dataclass(frozen=True)
class Screened:
    """A device whose screen is over: its cells with their rounds, by id, and its duels; `seconds_of` says how
    long a round of a cell takes, all around it included; `left_s` is what is left of the budget (None: no
    limit). `apart` has what else changed since an earlier run, by id of the baseline: only rounds of one
    lease can be compared then.
    """

    device: str
    cells: dict[str, CellResult]
    duels: tuple[Duel, ...]
    earlier: Mapping[str, Earlier]
    sampling: Sampling
    comparing: Comparing
    seconds_of: Callable[[str], float]
    left_s: float | None = None
    apart: Mapping[str, str] = field(default_factory=dict)


def decide(screen: Screened) -> PhasePlan:
    """The phase that decides: an allotment for each duel and, with `auto`, for each cell without one."""
    asked = [_for_duel(screen, duel) for duel in screen.duels]
    if screen.sampling.is_auto:
        dueling = {cell for duel in screen.duels for cell in (duel.baseline, duel.candidate)}
        asked += [_for_cell(screen, cell) for key, cell in screen.cells.items() if key not in dueling]
    return PhasePlan(screen.device, Phase.CONFIRM, _within(screen, [one for one in asked if one]))


def lengthened(screen: Screened) -> PhasePlan:
    """More rounds of the pilot for what asks for very many fresh ones, and would get them; no allotment where
    nothing does. What is compared with an earlier run is not: that one's rounds do not get more.
    """
    long = [
        one
        for one in (decide(screen).allotments if screen.sampling.is_auto else ())
        if one.rounds > LONG_PAIRS and not screen.earlier.keys() & set(one.cells)
    ]
    more = MORE_PILOT_PAIRS
    return PhasePlan(
        screen.device,
        Phase.SCREEN,
        tuple(Allotment(one.cells, more, more, f"its pilot gets {more} more: {one.reason}") for one in long),
    )


def _for_duel(screen: Screened, duel: Duel) -> Allotment | None:
    """What one duel needs; None where one side is not here at all."""
    sides = (duel.baseline, duel.candidate)
    found = [screen.cells.get(side) for side in sides]
    if None in found:
        return None
    baseline, candidate = (one for one in found if one is not None)
    if over := next((one for one in (baseline, candidate) if one.status in NO_MORE), None):
        return Allotment(sides, 0, 0, f"{over.id}: {over.status.value}")
    if duel.baseline in screen.earlier:
        return _against_earlier(screen, screen.earlier[duel.baseline], candidate, sides)
    found_pairs = pairs(baseline, candidate, Phase.SCREEN)
    if not found_pairs.count:
        return Allotment(sides, 0, 0, f"no pair of its screen counts ({found_pairs.told})")
    times = found_pairs.baseline_ms, found_pairs.candidate_ms
    effect, floor = paired(*times), screen.comparing.minimum_effect
    is_precise = not screen.sampling.is_auto or spread_of(effect) <= screen.sampling.precision
    if screen_settles(effect, floor) and is_precise:
        return Allotment(sides, 0, 0, f"its {found_pairs.count} pairs show that nothing changed")
    wanted, why = _pairs_wanted(screen, *times)
    return Allotment(sides, wanted, wanted, why)


def _pairs_wanted(
    screen: Screened, baseline_ms: Sequence[float], candidate_ms: Sequence[float]
) -> tuple[int, str]:
    """How many fresh pairs decide, and why so many."""
    sampling, floor = screen.sampling, screen.comparing.minimum_effect
    if not sampling.is_auto:
        number = sampling.fresh_pairs
        return number, f"its screen does not settle it: {number} fresh pairs decide"
    to_decide = pairs_to_decide(baseline_ms, candidate_ms, floor)
    ratios = [after / before for before, after in zip(baseline_ms, candidate_ms, strict=True) if before]
    to_resolve = rounds_to_resolve(ratios, sampling.precision)
    if to_resolve > to_decide:
        return (
            to_resolve,
            f"by its noise {to_resolve} fresh pairs tell the ratio within {sampling.precision:.1%}",
        )
    return to_decide, f"by its noise {to_decide} fresh pairs tell a change of {floor:.1%}"


def spread_of(effect: Effect) -> float:
    """Half the width of the 95 % interval of a ratio, as a fraction of it; infinite where there is none."""
    if effect.low is None or effect.high is None or effect.low <= 0:
        return math.inf
    return math.sqrt(effect.high / effect.low) - 1


def _against_earlier(
    screen: Screened, earlier: Earlier, candidate: CellResult, sides: tuple[str, str]
) -> Allotment:
    """Rounds of two nights are no pairs: they may show that nothing changed, and no more."""
    now = screen.earlier.get(candidate.id)
    now_ms = now.values_ms if now else values_ms(candidate, Phase.SCREEN).values
    then_ms = earlier.values_ms
    if not now_ms:
        return Allotment(sides, 0, 0, "no round of its screen counts")
    effect = unpaired(then_ms, now_ms)
    apart = screen.apart.get(earlier.cell)
    if not apart and screen_settles(effect, screen.comparing.minimum_effect):
        return Allotment(sides, 0, 0, f"it is as in {earlier.run}: {effect.ratio - 1:+.1%}")
    number = min(len(now_ms), len(then_ms))
    wanted = screen.sampling.fresh_pairs
    why = f"{wanted} fresh pairs decide"
    if screen.sampling.is_auto and number >= FEWEST_PAIRS:
        wanted, why = _pairs_wanted(screen, then_ms[:number], now_ms[:number])
    look = (
        f"it looks {effect.ratio - 1:+.1%} changed since {earlier.run}"
        if then_ms
        else "it has no earlier times"
    )
    look = f"not as in {earlier.run}: {apart}" if apart else look
    return Allotment(sides, wanted, wanted, f"{look}: {why}")


def _for_cell(screen: Screened, cell: CellResult) -> Allotment | None:
    if cell.status in NO_MORE or cell.id in screen.earlier:
        return None
    known_ms = values_ms(cell, Phase.SCREEN).values
    if not known_ms:
        return Allotment((cell.id,), 0, 0, "no round of its pilot counts")
    wanted = rounds_to_resolve(known_ms, screen.sampling.precision)
    why = f"by its noise {wanted} fresh rounds tell the median within {screen.sampling.precision:.1%}"
    return Allotment((cell.id,), wanted, wanted, why)


def _within(screen: Screened, asked: Sequence[Allotment]) -> tuple[Allotment, ...]:
    """What the budget allows: the cheapest first, whole; the first that does not fit gets the rest."""
    if screen.left_s is None:
        return tuple(asked)
    each_s = [sum(screen.seconds_of(cell) for cell in one.cells) for one in asked]
    given: dict[int, Allotment] = {}
    left_s = MARGIN * screen.left_s
    for number in sorted(range(len(asked)), key=lambda n: asked[n].wanted * each_s[n]):
        one = asked[number]
        fitting = one.wanted if each_s[number] <= 0 else int(max(left_s, 0.0) / each_s[number])
        rounds = one.wanted if fitting >= one.wanted else fitting if fitting >= FEWEST_PAIRS else 0
        left_s -= rounds * each_s[number]
        given[number] = one if rounds == one.wanted else _short(screen, one, rounds)
    return tuple(given[number] for number in range(len(asked)))


def _short(screen: Screened, one: Allotment, rounds: int) -> Allotment:
    what = "pairs" if len(one.cells) > 1 else "rounds"
    budget = f"the budget of {screen.sampling.budget_s or 0:g} s"
    return replace(one, rounds=rounds, reason=f"{one.reason}, but {budget} has time for {rounds} {what}")


NOTES_SHOWN = 3


def notes_of(plan: PhasePlan) -> list[str]:
    """For a person who watches: how much is confirmed or gets a longer pilot, and what the budget has no time
    for.
    """
    confirmed = [one for one in plan.allotments if one.rounds]
    short = [one for one in plan.allotments if one.rounds < one.wanted]
    total = sum(one.rounds * len(one.cells) for one in confirmed)
    if plan.phase is Phase.SCREEN:
        return [f"a longer pilot for {len(confirmed)} with much noise, {total} rounds in all"]
    told = []
    if confirmed:
        told.append(f"{len(confirmed)} of {len(plan.allotments)} get fresh rounds, {total} in all")
    told += [f"{_name(one)}: {one.reason}" for one in short[:NOTES_SHOWN]]
    more = len(short) - NOTES_SHOWN
    return [*told, f"and {more} more for which the budget has no time"] if more > 0 else told


def _name(one: Allotment) -> str:
    """`tiny b against tiny a`."""
    return " against ".join(visible(" ".join(cell.split("/")[1:])) for cell in reversed(one.cells))
