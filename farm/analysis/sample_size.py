"""How many fresh rounds decide: fixed once, from the pilot, before the first of them. Pure.

The rule and the simulation behind it: docs/decisions/0018 and benchmarks/verdicts_simulated.py.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from farm.analysis.effects import is_time
from farm.analysis.verdicts import NEGLIGIBLE, SURE, half_width
from farm.model.comparison import Effect

PILOT_PAIRS = 10
"""Of the pilot, with which `--rounds auto` begins."""

FEWEST_FRESH_PAIRS = 16
"""The smallest p of 16 pairs is 3e-5: it counts also among hundreds of comparisons."""

MOST_PAIRS = 2000
"""No phase has more."""

TARGET = 0.22
"""The standard error that is aimed at, as a share of the minimum effect (both as logarithms)."""

SAFETY = 1.4
"""How much larger than the pilot's the noise is taken to be: a pilot of ten often sees too little of it."""


def pairs_to_decide(
    baseline_ms: Sequence[float], candidate_ms: Sequence[float], minimum_effect: float
) -> int:
    """How many fresh pairs the phase `confirm` gets, from the pilot's round values in ms, pair by pair."""
    pairs = zip(baseline_ms, candidate_ms, strict=True)
    ratios = [math.log(b / a) for a, b in pairs if is_time(a) and is_time(b) and a > 0 and b > 0]
    return _enough(_spread(ratios), TARGET * math.log1p(minimum_effect))


def rounds_to_resolve(values_ms: Sequence[float], precision: float) -> int:
    """How many fresh rounds put the 95 % interval of their median within +-`precision` (a fraction) of it."""
    logs = [math.log(value) for value in values_ms if is_time(value) and value > 0]
    return _enough(1.2533 * _spread(logs), precision / 1.96)


def pairs_wanted(effect: Effect, minimum_effect: float) -> int | None:
    """About how many pairs would decide what is inconclusive; None where `MOST_PAIRS` would not."""
    width = half_width(effect)
    if width is None:
        return None
    size, minimum = abs(math.log(effect.ratio)), math.log1p(minimum_effect)
    room = (minimum - size) / 1.645 if size < minimum else (size - NEGLIGIBLE * minimum) / (SURE * 1.96)
    if room <= 0:
        return None
    wanted = math.ceil(effect.n * (width / 1.96 / room) ** 2)
    wanted = max(wanted, FEWEST_FRESH_PAIRS)
    return wanted if wanted <= MOST_PAIRS else None


def _spread(logs: Sequence[float]) -> float:
    return statistics.stdev(logs) if len(logs) > 1 else math.inf


def _enough(spread: float, error: float) -> int:
    if math.isinf(spread):
        return PILOT_PAIRS * 2
    wanted = (SAFETY * spread / error) ** 2 if error > 0 else math.inf
    return MOST_PAIRS if wanted > MOST_PAIRS else max(FEWEST_FRESH_PAIRS, math.ceil(wanted))
