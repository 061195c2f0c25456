"""Whether a device became slower or faster while a comparison was measured.

Pairs cancel it; it is told because a device that drifts resolves less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

SURE = 0.01
"""The p of Kendall's test below which a drift is told."""

FEWEST = 6
MOST = 500
"""Of more values every k-th is looked at: the slope is the median over all pairs of them."""


def drift(values_ms: Sequence[float], minimum_effect: float) -> float | None:
    """The change over all values, in the order in which they were measured, as a fraction (0.1: 10 % slower
    at the end); None where Kendall's tau shows none or it is smaller than `minimum_effect`.

    The slope is Theil and Sen's: the median of the slopes between all pairs.
    """
    every = max(1, math.ceil(len(values_ms) / MOST))
    logs = [math.log(value) for value in values_ms[::every] if value > 0]
    if len(logs) < FEWEST or min(logs) == max(logs):
        return None
    from scipy import stats  # takes a second to import

    if stats.kendalltau(range(len(logs)), logs).pvalue >= SURE:
        return None
    moved = math.expm1(float(stats.theilslopes(logs).slope) * (len(logs) - 1))
    return moved if abs(moved) >= minimum_effect else None
