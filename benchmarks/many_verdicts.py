"""The method of farm's verdicts for many comparisons at once, for the simulations beside it.

Each function does to rows of log ratios what one of farm.analysis does to one comparison; `check` says that
they agree. Values have no ties here, and are not printed to three decimals.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from farm.analysis import effects, ranks, sample_size, verdicts
from farm.model.comparison import Effect, Verdict

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Draw = Callable[[Integers, int], Floats]
"""Fresh log ratios: of these comparisons (rows), so many pairs (columns)."""

CHUNK = 20_000_000
"""Averages that are in memory at once."""

UNCHANGED, SLOWER, FASTER, INCONCLUSIVE = range(4)
NAMES = (Verdict.UNCHANGED, Verdict.SLOWER, Verdict.FASTER, Verdict.INCONCLUSIVE)


@dataclass(frozen=True)
class Effects:
    """Of comparisons, as logarithms; bounds are -inf and inf where there are none."""

    estimate: Floats
    low: Floats
    high: Floats
    low_90: Floats
    high_90: Floats
    p: Floats
    pairs: int

    def one(self, row: int) -> Effect:
        names = ("estimate", "low", "high", "low_90", "high_90")
        ratios = [math.exp(float(getattr(self, name)[row])) for name in names]
        return Effect(*ratios, p=float(self.p[row]), n=self.pairs)


def all_effects(ratios: Floats) -> Effects:
    """`farm.analysis.effects.paired` of each row."""
    rows, pairs = ratios.shape
    total = pairs * (pairs + 1) // 2
    depths = [ranks.signed_rank_depth(pairs, level) for level in (0.05, 0.10)]
    assert all(depths), "too few pairs for an interval"
    places = [(total - 1) // 2, total // 2]
    places += [place for depth in depths for place in (depth - 1, total - depth)]
    first, second = np.triu_indices(pairs)
    found, positive = np.empty((rows, len(places))), np.empty(rows, dtype=np.int64)
    step = max(1, CHUNK // total)
    for start in range(0, rows, step):
        part = ratios[start : start + step]
        averages = part[:, first]
        averages += part[:, second]
        positive[start : start + step] = (averages > 0).sum(axis=1)
        averages.partition(sorted(set(places)), axis=1)
        found[start : start + step] = averages[:, places] / 2
    estimate = (found[:, 0] + found[:, 1]) / 2
    return Effects(
        estimate, *found[:, 2:].T, signed_rank_p(np.minimum(positive, total - positive), pairs), pairs
    )


def signed_rank_p(smaller: Integers, pairs: int) -> Floats:
    """Two-sided p of the smaller of the two sums of ranks."""
    if pairs <= ranks.EXACT_PAIRS:
        below = np.cumsum(ranks.signed_rank_chances(pairs))
        return np.minimum(1, 2 * below[smaller])
    mean = pairs * (pairs + 1) / 4
    deviation = math.sqrt(pairs * (pairs + 1) * (2 * pairs + 1) / 24)
    return np.minimum(1, 2 * stats.norm.cdf((smaller - mean + 0.5) / deviation))


def are_settled(found: Effects, minimum_effect: float) -> NDArray[np.bool_]:
    """`farm.analysis.verdicts.screen_settles` of each."""
    minimum = math.log1p(minimum_effect)
    above = found.estimate + verdicts.SURE * (found.high - found.estimate)
    below = -found.estimate + verdicts.SURE * (found.estimate - found.low)
    is_surely_small = np.maximum(above, below) < verdicts.CONSIDERABLE * minimum
    return (found.low_90 > -minimum) & (found.high_90 < minimum) & is_surely_small


def decided(found: Effects, q: Floats, minimum_effect: float) -> Integers:
    """`farm.analysis.verdicts.decide` of each: a number of `NAMES`."""
    minimum, size = math.log1p(minimum_effect), np.abs(found.estimate)
    width = np.where(found.estimate >= 0, found.estimate - found.low, found.high - found.estimate)
    is_shown = (size >= minimum) & (size - verdicts.SURE * width >= verdicts.NEGLIGIBLE * minimum)
    changed = np.where(found.estimate > 0, SLOWER, FASTER)
    answer = np.where(is_shown & (q < verdicts.FALSE_DISCOVERIES), changed, INCONCLUSIVE)
    return np.where(are_settled(found, minimum_effect), UNCHANGED, answer)


def pairs_to_decide(pilot: Effects, minimum_effect: float) -> Integers:
    """`farm.analysis.sample_size.pairs_to_decide` of each."""
    width = (pilot.high_90 - pilot.low_90) / 2
    wanted = np.ceil(pilot.pairs * (width / (sample_size.NARROWED_TO * math.log1p(minimum_effect))) ** 2)
    return np.clip(wanted, sample_size.FEWEST_FRESH_PAIRS, sample_size.MOST_PAIRS).astype(np.int64)


def pilots(
    draw: Draw, comparisons: int, minimum_effect: float, most: int
) -> tuple[Effects, Integers, Integers]:
    """Effects of the first ten pairs; by how many pilots were made longer (0: as they were); and how many
    fresh pairs each asks for, `most` at the most.
    """
    first = draw(np.arange(comparisons), sample_size.PILOT_PAIRS)
    pilot = all_effects(first)
    pairs = pairs_to_decide(pilot, minimum_effect)
    pairs = np.minimum(pairs, most)
    pairs[are_settled(pilot, minimum_effect)] = 0
    longer = np.where(pairs > sample_size.LONG_PAIRS, sample_size.MORE_PILOT_PAIRS, 0)
    if (rows := np.flatnonzero(longer)).size:
        whole = all_effects(np.hstack([first[rows], draw(rows, sample_size.MORE_PILOT_PAIRS)]))
        wanted = np.minimum(pairs_to_decide(whole, minimum_effect), most)
        pairs[rows] = np.where(are_settled(whole, minimum_effect), 0, wanted)
    return pilot, longer, pairs


@dataclass(frozen=True)
class Outcome:
    """What became of comparisons: verdicts by number, pairs of `confirm` (0: the screen settled it), and more
    pairs of the pilot.

    `pilot` are the effects of its first ten; `low` and `high` the 95 % bounds of what was confirmed.
    """

    verdicts: Integers
    pairs: Integers
    longer: Integers
    pilot: Effects
    low: Floats
    high: Floats


def compared(draw: Draw, comparisons: int, minimum_effect: float, together: int, budget: int = 0) -> Outcome:
    """Pilot, number of pairs, fresh pairs, verdict. `together`: so many are one run, whose p values become q.

    `budget`: no confirmation has more pairs, where not 0.
    """
    pilot, longer, pairs = pilots(draw, comparisons, minimum_effect, budget or sample_size.MOST_PAIRS)
    answers = np.full(comparisons, UNCHANGED)
    p, low, high = (np.full(comparisons, value) for value in (np.nan, -np.inf, np.inf))
    confirmed: list[tuple[Integers, Effects]] = []
    for count in np.unique(pairs[pairs > 0]):
        rows = np.flatnonzero(pairs == count)
        found = all_effects(draw(rows, int(count)))
        confirmed.append((rows, found))
        p[rows], low[rows], high[rows] = found.p, found.low, found.high
    q = rates_by_run(p, together)
    for rows, found in confirmed:
        answers[rows] = decided(found, q[rows], minimum_effect)
    return Outcome(answers, pairs, longer, pilot, low, high)


def rates_by_run(p: Floats, together: int) -> Floats:
    q = np.full(len(p), np.nan)
    for start in range(0, len(p), together):
        rows = start + np.flatnonzero(~np.isnan(p[start : start + together]))
        q[rows] = verdicts.false_discovery_rates(list(p[rows]))
    return q


def check(ratios: Floats, q: float, minimum_effect: float) -> None:
    """Raises AssertionError where a row's answers are not farm's for round values with such ratios."""
    found = all_effects(ratios)
    settled = are_settled(found, minimum_effect)
    answers = decided(found, np.full(len(ratios), q), minimum_effect)
    wanted = pairs_to_decide(found, minimum_effect)
    for row, logs in enumerate(ratios):
        # Sides whose times have no pattern, so that they are not taken for printed ones.
        baseline_ms = [math.pi * math.sqrt(place + 1) for place in range(len(logs))]
        candidate_ms = [time_ms * math.exp(log) for time_ms, log in zip(baseline_ms, logs, strict=True)]
        own, mine = effects.paired(baseline_ms, candidate_ms), found.one(row)
        for name in ("ratio", "low", "high", "low_90", "high_90", "p"):
            assert math.isclose(getattr(own, name), getattr(mine, name), rel_tol=1e-9), (name, own, mine)
        assert verdicts.screen_settles(own, minimum_effect) == settled[row]
        assert verdicts.decide(own, q, minimum_effect) is NAMES[answers[row]]
        assert sample_size.pairs_to_decide(baseline_ms, candidate_ms, minimum_effect) == wanted[row]
