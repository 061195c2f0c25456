"""A ratio with its interval against the minimum effect."""

from __future__ import annotations

import math
from collections.abc import Iterable

from farm.compare.words import percent
from farm.model.comparison import Verdict
from farm.report.figures.scales import Scale
from farm.report.figures.view import Whisker

WIDEST = math.log(2.0)
"""The axis ends at half and at twice the time at most: what is beyond is cut there."""


def whisker_end(ratios: Iterable[float | None], minimum_effect: float) -> float:
    """The logarithm at which the axis of a column of whiskers ends, to both sides of no change.

    `ratios` are those of the column without their bounds, since one of a few rounds would be wider than all;
    `minimum_effect` is a fraction.
    """
    logs = [abs(log) for ratio in ratios if (log := _log(ratio)) is not None]
    least = 2 * math.log1p(max(minimum_effect, 0.005))
    return min(max([least, *(1.4 * log for log in logs)]), max(WIDEST, least))


def whisker(
    ratio: float,
    interval: tuple[float | None, float | None],
    verdict: Verdict,
    minimum_effect: float,
    end: float | None = None,
) -> Whisker | None:
    """`ratio` is candidate over baseline of a time (above 1 is slower), `interval` its 95 % bounds, None
    where they are not known; `verdict` is what was decided, which the figure does not say in another way;
    `minimum_effect` is a fraction (0.03 is 3 %); `end` that of `whisker_end`.

    None where the ratio is not a number above 0.
    """
    at = _log(ratio)
    if at is None:
        return None
    low, high = map(_log, interval)
    end = end or whisker_end((ratio,), minimum_effect)
    scale = Scale(-end, end)
    bounds = None if low is None or high is None else (min(low, high), max(low, high))
    shown = percent(ratio - 1)
    told = (
        f"95 % interval {percent(math.expm1(bounds[0]))} to {percent(math.expm1(bounds[1]))}"
        if bounds
        else "no interval"
    )
    least = math.log1p(max(minimum_effect, 0.0))
    return Whisker(
        at=scale.at(at),
        interval=(scale.at(bounds[0]), scale.at(bounds[1])) if bounds else None,
        is_cut=(bounds[0] < -end, bounds[1] > end) if bounds else (at < -end, at > end),
        band=(scale.at(-least), scale.at(least)),
        none=scale.at(0.0),
        side=verdict.value if verdict in {Verdict.SLOWER, Verdict.FASTER} else "none",
        text=f"{shown}, {told}; less than {100 * minimum_effect:g} % does not count",
    )


def _log(ratio: float | None) -> float | None:
    if ratio is None or not math.isfinite(ratio) or ratio <= 0:
        return None
    return math.log(ratio)
