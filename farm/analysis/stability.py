"""What a device can resolve, from A/A pairs in several sessions: rounds of the same bytes, back to back."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from farm.analysis.effects import half_width_90, is_time, paired
from farm.analysis.verdicts import NEGLIGIBLE, SURE
from farm.model.comparison import Effect

OFTEN = 1.645
"""Standard errors from an effect to a bound that it passes in 19 of 20 cases."""

ALSO_OFTEN = 1.645 + 1.96
"""The same for an A/A comparison, whose interval of 90 % has to lie within both bounds."""

CHANGED = 0.05
"""An A/A session with a smaller p seems changed, as one of twenty does."""

FEWEST_DEGREES = 2.0
"""Temperatures that differ by less say nothing of their effect."""

MOST_SLOPES = 1000
"""More rounds than this are thinned out for the slope."""

MAD_TO_DEVIATION = 1.4826
"""For the normal distribution."""


@dataclass(frozen=True)
class Pair:
    """Two rounds of the same bytes as they ran: values in ms, and the temperatures in C before each."""

    first_ms: float
    second_ms: float
    first_c: float | None = None
    second_c: float | None = None


@dataclass(frozen=True)
class Stability:
    """How noisy a device is, by source. Noises are deviations of the logarithm: 0.02 is about 2 %.

    `pair`: of a pair's log ratio, such that a comparison of n pairs has a standard error of pair / sqrt(n);
    None with fewer than 5 pairs. `rounds`: of a round within its pair. `sessions`: of a session's level,
    beyond what its rounds explain; two nights differ by it, and pairs do not (None with one session).
    `per_degree`: the change of the logarithm with one degree, and `temperature`: what the temperatures that
    were seen make of it, from the coldest tenth of rounds to the warmest (None where they were not known or
    hardly differed). `order`: the second round of a pair against the first. `seem_changed` of so many
    sessions have p < 0.05.
    """

    pairs: int
    sessions_count: int
    pair: float | None
    rounds: float | None
    sessions: float | None
    per_degree: float | None
    temperature: float | None
    order: Effect
    seem_changed: int

    def smallest_effect(self, pairs: int) -> float | None:
        """The smallest slowdown, as a fraction, that is called `slower` by so many pairs 19 times of 20.

        The minimum effect is taken to be `smallest_minimum`, with which A/A is called `unchanged` as often.
        """
        if self.pair is None or pairs <= 0:
            return None
        return _fraction(SMALLEST_EFFECT * self.pair / math.sqrt(pairs))

    def smallest_minimum(self, pairs: int) -> float | None:
        """The smallest minimum effect, as a fraction, that so many pairs can be asked for."""
        if self.pair is None or pairs <= 0:
            return None
        return _fraction(ALSO_OFTEN * self.pair / math.sqrt(pairs))

    def pairs_for(self, effect: float) -> int | None:
        """How many pairs show a slowdown of such a fraction: the inverse of `smallest_effect`."""
        if self.pair is None or effect <= 0:
            return None
        return max(1, math.ceil((SMALLEST_EFFECT * self.pair / math.log1p(effect)) ** 2))


SMALLEST_EFFECT = max(ALSO_OFTEN, NEGLIGIBLE * ALSO_OFTEN + SURE * 1.96) + OFTEN
"""In standard errors: what `farm.analysis.verdicts.decide` asks of a change, and room to pass it often."""


def stability(sessions: Sequence[Sequence[Pair]]) -> Stability:
    """From A/A pairs by session. Pairs with what is no time are left out, and sessions without any other."""
    kept = [[pair for pair in session if _is_measured(pair)] for session in sessions]
    kept = [session for session in kept if session]
    everything = [pair for session in kept for pair in session]
    firsts, seconds = [pair.first_ms for pair in everything], [pair.second_ms for pair in everything]
    width = half_width_90(firsts, seconds)
    within = _deviation([math.log(pair.second_ms / pair.first_ms) for pair in everything])
    found = [paired([pair.first_ms for pair in one], [pair.second_ms for pair in one]) for one in kept]
    per_degree, temperature = _of_temperature(kept)
    return Stability(
        pairs=len(everything),
        sessions_count=len(kept),
        pair=None if width is None else width * math.sqrt(len(everything)) / OFTEN,
        rounds=None if within is None else within / math.sqrt(2),
        sessions=_between(kept),
        per_degree=per_degree,
        temperature=temperature,
        order=paired(firsts, seconds),
        seem_changed=sum(effect.p < CHANGED for effect in found),
    )


def _is_measured(pair: Pair) -> bool:
    return all(is_time(value_ms) and value_ms > 0 for value_ms in (pair.first_ms, pair.second_ms))


def _deviation(values: Sequence[float]) -> float | None:
    """About zero, since the same bytes are on both sides; robust."""
    return MAD_TO_DEVIATION * statistics.median(map(abs, values)) if values else None


def _levels(session: Sequence[Pair]) -> list[float]:
    """The logarithm of each round of a session, in the order in which they ran."""
    return [math.log(value_ms) for pair in session for value_ms in (pair.first_ms, pair.second_ms)]


def _between(sessions: Sequence[Sequence[Pair]]) -> float | None:
    """The deviation of the sessions' medians, less what their rounds explain: pi/2 of a mean's variance."""
    if len(sessions) < 2:
        return None
    medians, explained = [], []
    for session in sessions:
        levels = _levels(session)
        middle = statistics.median(levels)
        medians.append(middle)
        own = _deviation([level - middle for level in levels]) or 0.0
        explained.append(math.pi / 2 * own**2 / len(levels))
    return math.sqrt(max(0.0, statistics.variance(medians) - statistics.fmean(explained)))


def _of_temperature(sessions: Sequence[Sequence[Pair]]) -> tuple[float | None, float | None]:
    """The slope of the logarithm by degree (Theil's and Sen's: outliers do not move it), and what it makes.

    Each session counts against its own median: what differs between sessions is not the temperature's.
    """
    degrees, levels = [], []
    for session in sessions:
        middle = statistics.median(_levels(session))
        for degree, level in zip(_degrees(session), _levels(session), strict=True):
            if degree is not None and math.isfinite(degree):
                degrees.append(degree)
                levels.append(level - middle)
    if len(degrees) < 10:
        return None, None
    tenths = statistics.quantiles(degrees, n=10)
    reach = tenths[-1] - tenths[0]
    if reach < FEWEST_DEGREES:
        return None, None
    from scipy import stats

    step = -(-len(degrees) // MOST_SLOPES)  # each two of them have a slope
    slope = float(stats.theilslopes(levels[::step], degrees[::step]).slope)
    return slope, abs(slope) * reach


def _degrees(session: Sequence[Pair]) -> list[float | None]:
    return [degree for pair in session for degree in (pair.first_c, pair.second_c)]


def _fraction(log: float) -> float:
    return math.expm1(min(log, 700.0))
