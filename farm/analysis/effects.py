"""The effect of a change on round values: a ratio with its intervals, paired or not.

Times are compared as logarithms, since noise and changes are in proportion to them. The estimate is Hodges
and Lehmann's, its interval that of the exact rank test (`farm.analysis.ranks`), and p the test's own, from
SciPy. They agree: 1 lies outside the interval of confidence 1 - a exactly when p <= a.

What is unusual in the values, and what is done:

- A time of 0 is below what the clock resolves. It counts as the smallest time seen, at most a printed digit.
- Where no time of either side was resolved there is an effect without bounds: nobody can tell.
- What is no time (negative, infinite, NaN) is left out, in pairs with its partner.
- Equal times, and ratios that are equal apart from their direction, count against the effect: p and the
  interval are those of the least favourable order, so an error of 5 % is at most that.
- Times that are printed to three decimals of a millisecond, and hardly differ in these, could differ by a
  digit unseen: the interval is wider by that on both sides (and p is not, so the two may disagree then).

`scipy.stats` takes a second to import: where an event loop runs, call these in a thread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from farm.analysis import ranks
from farm.analysis.steady import RESOLUTION_MS
from farm.model.comparison import Effect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
else:
    Integers = Any

UNIT = 1e-12
"""Logarithms are integers of this: 20/21 and 40/42 are equal then, as they are not in floating point."""

FINEST = 1e9
"""In half printed digits (8 minutes): what a longer time is rounded by is nothing."""

LARGEST_LOG = 700.0
"""exp of more is not a number that JSON can hold."""


def paired(baseline_ms: Sequence[float], candidate_ms: Sequence[float]) -> Effect:
    """The effect of pairs of round values in ms, `baseline_ms[i]` with `candidate_ms[i]`.

    Raises ValueError where the two have different lengths. See the module for values that are unusual.
    """
    before_ms, after_ms = _pairs_of_times(baseline_ms, candidate_ms)
    if not any(before_ms + after_ms):
        return _unknown(len(before_ms), is_paired=True)
    ratios = _ordered_ratios(before_ms, after_ms)
    count = len(ratios)
    total = count * (count + 1) // 2
    depths = [ranks.signed_rank_depth(count, level) for level in (0.05, 0.10)]
    found = ranks.sums_of_two(ratios, _wanted(total, depths))
    margin = unseen(before_ms, after_ms)
    return _effect(
        [each / 2 for each in found], depths, margin, _signed_rank_p(ratios), count, is_paired=True
    )


def unpaired(baseline_ms: Sequence[float], candidate_ms: Sequence[float]) -> Effect:
    """The effect between two samples of round values in ms that nothing joins, such as two nights.

    It says whether the samples differ, not why: what changed between the nights is part of it.
    """
    before_ms, after_ms = list(filter(is_time, baseline_ms)), list(filter(is_time, candidate_ms))
    count = min(len(before_ms), len(after_ms))
    if not count or not any(before_ms + after_ms):
        return _unknown(count, is_paired=False)
    before, after = _logs(before_ms, after_ms)
    before.sort()
    after.sort()
    depths = [ranks.rank_sum_depth(len(before), len(after), level) for level in (0.05, 0.10)]
    found = ranks.differences(before, after, _wanted(len(before) * len(after), depths))
    margin = unseen(before_ms, after_ms)
    return _effect(
        list(map(float, found)), depths, margin, _rank_sum_p(before, after), count, is_paired=False
    )


def half_width_90(baseline_ms: Sequence[float], candidate_ms: Sequence[float]) -> float | None:
    """Half the width of `paired`'s 90 % interval, as a logarithm, without the allowance for printed digits.

    None where there are too few pairs for one, or no time was resolved. Needs no SciPy.
    """
    before_ms, after_ms = _pairs_of_times(baseline_ms, candidate_ms)
    depth = ranks.signed_rank_depth(len(before_ms), 0.10)
    if not depth or not any(before_ms + after_ms):
        return None
    ratios = _ordered_ratios(before_ms, after_ms)
    total = len(ratios) * (len(ratios) + 1) // 2
    low, high = ranks.sums_of_two(ratios, [depth, total + 1 - depth])
    return (high - low) / 4 * UNIT


def is_time(value_ms: float) -> bool:
    return math.isfinite(value_ms) and value_ms >= 0


def _pairs_of_times(
    baseline_ms: Sequence[float], candidate_ms: Sequence[float]
) -> tuple[list[float], list[float]]:
    pairs = [both for both in zip(baseline_ms, candidate_ms, strict=True) if all(map(is_time, both))]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _unknown(count: int, *, is_paired: bool) -> Effect:
    return Effect(1.0, None, None, None, None, p=1.0, n=count, is_paired=is_paired)


def _logs(before_ms: Sequence[float], after_ms: Sequence[float]) -> tuple[Integers, Integers]:
    """Natural logarithms of both sides, in `UNIT`s."""
    import numpy as np

    least_ms = min([RESOLUTION_MS, *(value for value in (*before_ms, *after_ms) if value > 0)])

    def logs(values_ms: Sequence[float]) -> Integers:
        return np.rint(np.log(np.maximum(values_ms, least_ms)) / UNIT).astype(np.int64)

    return logs(before_ms), logs(after_ms)


def _ordered_ratios(before_ms: Sequence[float], after_ms: Sequence[float]) -> Integers:
    before, after = _logs(before_ms, after_ms)
    ratios = after - before
    ratios.sort()
    return ratios


def _wanted(total: int, depths: Sequence[int]) -> list[int]:
    """Ranks among `total` ordered ones: the two in the middle, then low and high of each depth."""
    bounds = [rank for depth in depths for rank in (max(depth, 1), total + 1 - max(depth, 1))]
    return [(total + 1) // 2, total // 2 + 1, *bounds]


def _effect(
    found: Sequence[float], depths: Sequence[int], margin: float, p: float, count: int, *, is_paired: bool
) -> Effect:
    """From what stands at the ranks of `_wanted`, in `UNIT`s of a logarithm."""
    logs = [value * UNIT for value in found]
    (low, high), (low_90, high_90) = (
        (_ratio(low - margin), _ratio(high + margin)) if depth else (None, None)
        for depth, low, high in zip(depths, logs[2::2], logs[3::2], strict=True)
    )
    return Effect(_ratio((logs[0] + logs[1]) / 2), low, high, low_90, high_90, p, count, is_paired)


def _ratio(log: float) -> float:
    return math.exp(max(-LARGEST_LOG, min(LARGEST_LOG, log)))


def _signed_rank_p(ratios: Integers) -> float:
    """Two-sided p of Wilcoxon's signed-rank test, of the order of equal values that is worst for the effect.

    SciPy's exact method does not know ties, and zeros would be left out: it is given ranks without either.
    Among values of equal size those against the effect get the higher ranks; a zero is one against it.
    """
    import numpy as np
    from scipy import stats

    sizes = np.abs(ratios)
    is_up = float(np.sum(np.sign(ratios) * stats.rankdata(sizes))) >= 0
    agrees = ratios > 0 if is_up else ratios < 0
    order = np.lexsort((~agrees, sizes))
    signed = np.where(agrees[order], 1, -1) * np.arange(1, len(ratios) + 1)
    method = "exact" if len(ratios) <= ranks.EXACT_PAIRS else "asymptotic"
    one_sided = stats.wilcoxon(signed, method=method, correction=True, alternative="greater").pvalue
    return min(1.0, 2 * float(one_sided))


def _rank_sum_p(before: Integers, after: Integers) -> float:
    """Two-sided p of Mann and Whitney's test, of the order of equal values that is worst for the effect."""
    import numpy as np
    from scipy import stats

    values = np.concatenate((before, after))
    is_after = np.repeat((False, True), (len(before), len(after)))
    is_up = float(stats.rankdata(values)[is_after].mean()) >= (len(values) + 1) / 2
    order = np.lexsort((is_after != is_up, values))
    places = np.arange(len(values)) if is_up else -np.arange(len(values))
    is_after = is_after[order]
    method = "exact" if len(before) * len(after) <= ranks.EXACT_PRODUCT else "asymptotic"
    test = stats.mannwhitneyu(places[is_after], places[~is_after], method=method, alternative="greater")
    return min(1.0, 2 * float(test.pvalue))


def unseen(before_ms: Sequence[float], after_ms: Sequence[float]) -> float:
    """How far the logarithm of a ratio may be off because times are printed to three decimals.

    Where the times of a side scatter over more than two digits, rounding averages out, and it is 0.
    """
    half_ms = RESOLUTION_MS / 2
    off = 0.0
    for values_ms in (before_ms, after_ms):
        steps = sorted(value / half_ms for value in values_ms)
        if steps[-1] > FINEST or any(abs(step - round(step)) > 1e-6 for step in steps):
            return 0.0
        middle = max(steps[len(steps) // 2], 1.0)
        if steps[(3 * len(steps)) // 4] - steps[len(steps) // 4] < 4:
            off += 1 / middle
    return off
