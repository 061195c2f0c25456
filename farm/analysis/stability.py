"""What a device can resolve, from A/A pairs in several sessions: rounds of the same bytes, back to back."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from farm.analysis.effects import half_width_90, is_time, paired, unseen
from farm.analysis.verdicts import FEWEST_PAIRS, NEGLIGIBLE, SURE
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
    """Two rounds of the same bytes as they ran: values in ms, and the temperatures in C before each.

    `is_swapped`: the candidate's round ran first. A comparison is of the sides, whatever their order.
    """

    first_ms: float
    second_ms: float
    first_c: float | None = None
    second_c: float | None = None
    is_swapped: bool = False

    @property
    def sides_ms(self) -> tuple[float, float]:
        """Baseline and candidate."""
        return (self.second_ms, self.first_ms) if self.is_swapped else (self.first_ms, self.second_ms)


@dataclass(frozen=True)
class Stability:
    """How noisy a device is, by source. Noises are deviations of the logarithm: 0.02 is about 2 %.

    `pair`: of a pair's log ratio, such that a comparison of n pairs has a standard error of pair / sqrt(n);
    None with fewer than 5 pairs. `unseen`: how much more or less may hide behind the digits that a clock
    prints, however many pairs there are. `rounds`: of a round within its pair. `sessions`: of a session's
    level, beyond what its rounds explain; two nights differ by it, and pairs do not (None without two
    sessions of the same). `per_degree`: the change of the logarithm with one degree, and `temperature`: what
    the temperatures that were seen make of it, from the coldest tenth of rounds to the warmest (None where
    they were not known or hardly differed). `order`: the second round of a pair against the first. Of the
    `sessions_judged`, which have enough pairs for that, `seem_changed` have p < 0.05 between their sides.
    """

    pairs: int
    sessions_count: int
    pair: float | None
    unseen: float
    rounds: float | None
    sessions: float | None
    per_degree: float | None
    temperature: float | None
    order: Effect
    sessions_judged: int
    seem_changed: int

    def smallest_effect(self, pairs: int) -> float | None:
        """The smallest slowdown, as a fraction, that is called `slower` by so many pairs 19 times of 20; None
        with fewer pairs than a verdict needs.

        The minimum effect is taken to be `smallest_minimum`, with which A/A is called `unchanged` as often.
        """
        return self._in_errors(SMALLEST_EFFECT, SMALLEST_UNSEEN, pairs)

    def smallest_minimum(self, pairs: int) -> float | None:
        """The smallest minimum effect, as a fraction, that so many pairs can be asked for."""
        return self._in_errors(ALSO_OFTEN, 1.0, pairs)

    def _in_errors(self, errors: float, unseen: float, pairs: int) -> float | None:
        if self.pair is None or pairs < FEWEST_PAIRS:
            return None
        return _fraction(errors * self.pair / math.sqrt(pairs) + unseen * self.unseen)

    def pairs_for(self, effect: float) -> int | None:
        """How many pairs show a slowdown of such a fraction: the inverse of `smallest_effect`. None where
        nothing is known, and where no number would do.
        """
        if self.pair is None or effect <= 0:
            return None
        seen = math.log1p(effect) - SMALLEST_UNSEEN * self.unseen
        wanted = (SMALLEST_EFFECT * self.pair / seen) ** 2 if seen > 0 else math.inf
        return max(FEWEST_PAIRS, math.ceil(wanted)) if wanted < MOST_NUMBER else None


MOST_NUMBER = 1e9
"""No number of pairs is larger."""

SMALLEST_EFFECT = max(ALSO_OFTEN, NEGLIGIBLE * ALSO_OFTEN + SURE * 1.96) + OFTEN
"""In standard errors: what `farm.analysis.verdicts.decide` asks of a change, and room to pass it often."""

SMALLEST_UNSEEN = NEGLIGIBLE + SURE
"""The same for what printed digits hide: it widens the interval that `decide` widens once more."""


def stability(sessions: Sequence[Sequence[Pair]], same: Sequence[Hashable] = ()) -> Stability:
    """From A/A pairs by session. Pairs with what is no time are left out, and sessions without any other.

    `same`, one for each session, says what ran there: the levels of those with equal ones are compared
    (default: of all).
    """
    labels = same or [None] * len(sessions)
    kept: dict[Hashable, list[list[Pair]]] = {}
    for label, session in zip(labels, sessions, strict=True):
        if measured := [pair for pair in session if _is_measured(pair)]:
            kept.setdefault(label, []).append(measured)
    everything = [session for group in kept.values() for session in group]
    pairs = [pair for session in everything for pair in session]
    width = half_width_90(*_sides(pairs))
    judged = [_sides(one) for one in everything if len(one) >= FEWEST_PAIRS]
    within = _deviation([math.log(pair.second_ms) - math.log(pair.first_ms) for pair in pairs])
    per_degree, temperature = _of_temperature(everything)
    return Stability(
        pairs=len(pairs),
        sessions_count=len(everything),
        pair=None if width is None else width * math.sqrt(len(pairs)) / OFTEN,
        unseen=max((unseen(*sides) for sides in judged), default=0.0),
        rounds=None if within is None else within / math.sqrt(2),
        sessions=_between(list(kept.values())),
        per_degree=per_degree,
        temperature=temperature,
        order=paired([pair.first_ms for pair in pairs], [pair.second_ms for pair in pairs]),
        sessions_judged=len(judged),
        seem_changed=sum(paired(*sides).p < CHANGED for sides in judged),
    )


def _sides(pairs: Sequence[Pair]) -> tuple[list[float], list[float]]:
    """Baselines and candidates."""
    return [pair.sides_ms[0] for pair in pairs], [pair.sides_ms[1] for pair in pairs]


def _is_measured(pair: Pair) -> bool:
    return all(is_time(value_ms) and value_ms > 0 for value_ms in (pair.first_ms, pair.second_ms))


def _deviation(values: Sequence[float]) -> float | None:
    """About zero, since the same bytes are on both sides; robust."""
    return MAD_TO_DEVIATION * statistics.median(map(abs, values)) if values else None


def _levels(session: Sequence[Pair]) -> list[float]:
    """The logarithm of each round of a session, in the order in which they ran."""
    return [math.log(value_ms) for pair in session for value_ms in (pair.first_ms, pair.second_ms)]


def _between(groups: Sequence[Sequence[Sequence[Pair]]]) -> float | None:
    """The deviation of the sessions' medians within their groups, less what their rounds explain: pi/2 of a
    mean's variance.
    """
    squares, freedom, explained = 0.0, 0, []
    for sessions in groups:
        if len(sessions) < 2:
            continue
        found = [_levels(session) for session in sessions]
        medians = [statistics.median(levels) for levels in found]
        squares += statistics.variance(medians) * (len(medians) - 1)
        freedom += len(medians) - 1
        for middle, levels in zip(medians, found, strict=True):
            own = _deviation([level - middle for level in levels]) or 0.0
            explained.append(math.pi / 2 * own**2 / len(levels))
    return math.sqrt(max(0.0, squares / freedom - statistics.fmean(explained))) if freedom else None


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
