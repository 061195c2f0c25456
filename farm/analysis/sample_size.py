"""How many fresh rounds decide: fixed once, from the pilot, before the first of them. Pure; needs no SciPy.

The rule, and the simulation that its numbers are from: docs/decisions/0018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from farm.analysis.effects import half_width_90
from farm.analysis.verdicts import NEGLIGIBLE, SURE, half_width
from farm.model.comparison import Effect

PILOT_PAIRS = 10
"""Of the pilot, with which `--rounds auto` begins."""

FEWEST_FRESH_PAIRS = 20
"""The smallest p of 20 pairs is 2e-6: it counts also among hundreds of comparisons. And two or three pairs in
which a neighbour took part leave them an interval.
"""

LONG_PAIRS = 100
"""What asks for more fresh pairs than this gets a longer pilot first."""

MORE_PILOT_PAIRS = 30
"""The longer pilot has so many more. Two odd pairs of ten ask for 2,000; of forty, for what decides."""

MOST_PAIRS = 2000
"""No phase has more."""

NARROWED_TO = 0.28
"""The pilot's 90 % interval has to become so narrow to a side, as a share of the minimum effect.

0.45 would do if a pilot knew the noise. One in twenty sees little more than half of it: with this, more than
95 % of comparisons are decided all the same.
"""

NARROWED_TO_PRECISION = 0.4
"""The same for the interval of a median, as a share of the precision."""

RESOLVED = 6
"""A standard error of the minimum effect divided by this is what `NARROWED_TO` mostly comes to."""

ROOM = 1.3
"""Standard errors beyond the bound: an effect as large as the estimate is decided in 9 cases of 10."""


def pairs_to_decide(
    baseline_ms: Sequence[float], candidate_ms: Sequence[float], minimum_effect: float
) -> int:
    """How many fresh pairs the phase `confirm` gets, from the pilot's round values in ms, pair by pair."""
    width = half_width_90(baseline_ms, candidate_ms)
    return _narrowed(len(baseline_ms), width, NARROWED_TO * math.log1p(minimum_effect))


def rounds_to_resolve(values_ms: Sequence[float], precision: float) -> int:
    """How many fresh rounds bring the 95 % interval of their median within +-`precision` (a fraction) of it.

    `values_ms` are those of the pilot; `farm.analysis.summary.median_interval` is the interval.
    """
    width = half_width_90([1.0] * len(values_ms), values_ms)
    return _narrowed(len(values_ms), width, NARROWED_TO_PRECISION * math.log1p(precision))


def pairs_wanted(effect: Effect, minimum_effect: float) -> int | None:
    """About how many pairs would decide what is inconclusive; None where `MOST_PAIRS` would not.

    An estimate that is far from exact says nothing of where the effect lies: then it is the number that makes
    the interval as narrow as a phase aims at. Later it is what an effect of the estimate's size needs.
    """
    width = half_width(effect)
    if width is None:
        return None
    error = width / 1.96
    size, minimum = abs(math.log(effect.ratio)), math.log1p(minimum_effect)
    allowed = minimum / RESOLVED
    if error <= allowed and size < minimum:
        allowed = (minimum - size) / (1.645 + ROOM)
    elif error <= allowed:
        allowed = (size - NEGLIGIBLE * minimum) / (SURE * 1.96 + ROOM)
    if not 0 < effect.n * error**2 <= MOST_PAIRS * allowed**2:
        return None
    wanted = max(FEWEST_FRESH_PAIRS, effect.n + 1, math.ceil(effect.n * (error / allowed) ** 2))
    return wanted if wanted <= MOST_PAIRS else None


def _narrowed(pairs: int, width: float | None, wanted: float) -> int:
    """So many that an interval of `pairs` gets as narrow as `wanted`, with the root of their number.

    Where there is no interval (fewer than 5 pairs), nothing is known, and the least is tried.
    """
    if width is None:
        return FEWEST_FRESH_PAIRS
    if not pairs * width**2 < MOST_PAIRS * wanted**2:
        return MOST_PAIRS
    return max(FEWEST_FRESH_PAIRS, math.ceil(pairs * (width / wanted) ** 2))
