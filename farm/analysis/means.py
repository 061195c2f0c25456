"""The mean of many changes: of ratios, with an interval that knows that cells are related."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
FEWEST_GROUPS = 3
"""Student's t of one degree of freedom says nothing: its quantile is 12.7."""
LARGEST_LOG = 700.0
"""exp of more is no finite number."""


@dataclass(frozen=True)
class Mean:
    """`ratio` with its 95 % bounds, None where the groups are fewer than 3; of how many ratios and groups."""

    ratio: float
    low: float | None
    high: float | None
    count: int
    groups: int


def geometric_mean(ratios: Mapping[str, Sequence[float]]) -> Mean | None:
    """Of ratios by group. What is no ratio (0, negative, not finite) is left out; None where none is left.

    The geometric mean is the one that does not depend on which side is the baseline (Fleming and Wallace,
    "How not to lie with statistics: the correct way to summarize benchmark results", CACM 29(3), 1986). Its
    interval is Student's t of the logarithms with G - 1 degrees of freedom, where the G groups, not the
    ratios, are independent: a change of a model's operator shows on all devices that run it. The variance of
    the mean m of n logarithms y is G/(G - 1) times the sum over groups of (sum of y - m)^2, over n^2
    (cluster-robust; Cameron and Miller, "A Practitioner's Guide to Cluster-Robust Inference", Journal of
    Human Resources 50(2), 2015). With groups of equal size that is t of their means.
    """
    logs = {name: _logs(values) for name, values in ratios.items()}
    logs = {name: values for name, values in logs.items() if values}
    count, groups = sum(map(len, logs.values())), len(logs)
    if not count:
        return None
    middle = math.fsum(value for values in logs.values() for value in values) / count
    if groups < FEWEST_GROUPS:
        return Mean(math.exp(middle), None, None, count, groups)
    squares = math.fsum(math.fsum(value - middle for value in values) ** 2 for values in logs.values())
    error = math.sqrt(groups / (groups - 1) * squares) / count
    half = _quantile(groups - 1) * error
    low, high = (math.exp(min(max(end, -LARGEST_LOG), LARGEST_LOG)) for end in (middle - half, middle + half))
    return Mean(math.exp(middle), low, high, count, groups)


def _logs(ratios: Sequence[float]) -> list[float]:
    return [math.log(ratio) for ratio in ratios if math.isfinite(ratio) and ratio > 0]


def _quantile(freedom: int) -> float:
    from scipy import special  # takes a moment to import

    return float(special.stdtrit(freedom, 0.5 + CONFIDENCE / 2))
