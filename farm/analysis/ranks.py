"""What SciPy lacks for intervals by ranks: how deep a bound lies among the ordered averages or differences.

The interval that belongs to a rank test is between the k-th smallest and the k-th largest of all averages
of two values (Wilcoxon's signed-rank test) or of all differences between two samples (Mann and Whitney's).
k comes from the test's distribution without an effect. Source: Hollander, Wolfe and Chicken, "Nonparametric
Statistical Methods" (3rd edition), sections 3.3 and 4.3.

Values are integers here (see `farm.analysis.effects`): a selection is exact, and equal values stay equal.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
else:
    Floats = Integers = Any

EXACT_PAIRS = 200
"""Up to so many pairs the signed-rank distribution is counted out; above, it is normal."""

EXACT_PRODUCT = 10_000
"""The same for two samples: the product of their sizes."""


MOST_SIGNS = 1000
"""The same for the sign test."""


def signed_rank_depth(pairs: int, level: float) -> int:
    """k, so that the k-th smallest and largest of the averages bound the centre with confidence 1 - level.

    0 where there are too few pairs for any bound. The test's p value is at most `level` exactly when 0 lies
    outside: above `EXACT_PAIRS` in its normal form with correction for continuity.
    """
    if pairs > EXACT_PAIRS:
        mean = pairs * (pairs + 1) / 4
        deviation = math.sqrt(pairs * (pairs + 1) * (2 * pairs + 1) / 24)
        return _normal_depth(mean, deviation, level)
    return _exact_depth(signed_rank_chances(pairs), level)


def rank_sum_depth(first: int, second: int, level: float) -> int:
    """The same for the differences between two samples of so many values."""
    if first * second > EXACT_PRODUCT:
        deviation = math.sqrt(first * second * (first + second + 1) / 12)
        return _normal_depth(first * second / 2, deviation, level)
    return _exact_depth(_rank_sum_chances(first, second), level)


@lru_cache(maxsize=1024)
def sign_depth(values: int, level: float) -> int:
    """The same for the values themselves and their median (the sign test). Without NumPy, which takes a tenth
    of a second to import: lanes of a run ask for this between two rounds.
    """
    if values > MOST_SIGNS:
        return _normal_depth(values / 2, math.sqrt(values) / 2, level)
    chances = (math.comb(values, k) / 2**values for k in range(values // 2 + 1))
    return bisect_right([*accumulate(chances)], level / 2)


def sums_of_two(ordered: Integers, ranks: Sequence[int]) -> list[int]:
    """The sums of two values (each also with itself), ordered; those of the `ranks`, which count from 1."""
    import numpy as np

    def count(limits: Integers) -> Integers:
        both: Integers = np.searchsorted(ordered, limits[:, None] - ordered, side="right").sum(axis=1)
        both += np.searchsorted(2 * ordered, limits, side="right")
        return both // 2

    return _selected(count, 2 * int(ordered[0]), 2 * int(ordered[-1]), ranks)


def differences(first: Integers, second: Integers, ranks: Sequence[int]) -> list[int]:
    """The differences second - first of all values of two ordered samples; those of the `ranks`, from 1."""
    import numpy as np

    def count(limits: Integers) -> Integers:
        found: Integers = np.searchsorted(second, limits[:, None] + first, side="right").sum(axis=1)
        return found

    return _selected(count, int(second[0] - first[-1]), int(second[-1] - first[0]), ranks)


def _selected(
    count: Callable[[Integers], Integers], least: int, most: int, ranks: Sequence[int]
) -> list[int]:
    """By bisection, the smallest integers that at least so many do not exceed: no list of all is made."""
    import numpy as np

    wanted = np.array(ranks)
    low, high = np.full(len(ranks), least), np.full(len(ranks), most)
    while (low < high).any():
        middle = (low + high) // 2
        is_enough = count(middle) >= wanted
        high = np.where(is_enough, middle, high)
        low = np.where(is_enough, low, middle + 1)
    return [int(found) for found in low]


def _exact_depth(chances: Floats, level: float) -> int:
    import numpy as np

    return int(np.searchsorted(np.cumsum(chances), level / 2, side="right"))


def _normal_depth(mean: float, deviation: float, level: float) -> int:
    furthest = mean - 0.5 + statistics.NormalDist().inv_cdf(level / 2) * deviation
    return max(0, math.floor(furthest) + 1)


@lru_cache(maxsize=EXACT_PAIRS)
def signed_rank_chances(pairs: int) -> Floats:
    """The chance of each sum of positive ranks, from 0 to n(n+1)/2, where each sign is as likely."""
    import numpy as np

    chances = np.zeros(pairs * (pairs + 1) // 2 + 1)
    chances[0] = 1.0
    for rank in range(1, pairs + 1):
        chances[rank:] += chances[:-rank].copy()
        chances /= 2
    return chances


@lru_cache(maxsize=64)
def _rank_sum_chances(first: int, second: int) -> Floats:
    """The chance of each U from 0 to first * second, where each order of the values is as likely.

    The largest of all is one of the first sample, and exceeds all of the second, or it is of the second.
    """
    import numpy as np

    row = [np.ones(1)] * (second + 1)
    for ours in range(1, first + 1):
        next_row = [np.ones(1)]
        for theirs in range(1, second + 1):
            chances = np.zeros(ours * theirs + 1)
            chances[theirs:] += row[theirs] * (ours / (ours + theirs))
            chances[: ours * (theirs - 1) + 1] += next_row[-1] * (theirs / (ours + theirs))
            next_row.append(chances)
        row = next_row
    return row[second]
