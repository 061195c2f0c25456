"""The ratios of pairs in the order in which they ran."""

from __future__ import annotations

import math
from collections.abc import Sequence

from farm.analysis.effects import LARGEST_LOG
from farm.compare.words import percent
from farm.report.figures.scales import Scale
from farm.report.figures.thin import peaks
from farm.report.figures.view import PairsPlot
from farm.report.numerals import count

MOST_POINTS = 300


def pairs_plot(
    baseline_ms: Sequence[float], candidate_ms: Sequence[float], minimum_effect: float
) -> PairsPlot | None:
    """Pair by pair, in ms, on an axis of log ratios that has the minimum effect (a fraction) in it to both
    sides. None with fewer than two pairs of times above 0.
    """
    both = zip(baseline_ms, candidate_ms, strict=True)
    logs = [
        math.log(after) - math.log(before)
        for before, after in both
        if 0 < before < math.inf and 0 < after < math.inf
    ]
    if len(logs) < 2:
        return None
    least = math.log1p(minimum_effect)
    low, high = min(*logs, -1.5 * least), max(*logs, 1.5 * least)
    scale = Scale(low, high) if low < high else Scale(-1.0, 1.0)
    last = len(logs) - 1
    return PairsPlot(
        points=tuple((i / last, scale.at(logs[i])) for i in peaks(logs, MOST_POINTS)),
        band=(scale.at(-least), scale.at(least)),
        none=scale.at(0.0),
        low=_percent(low),
        high=_percent(high),
        text=f"{count(len(logs), 'pair')} in the order in which they ran, from {_percent(min(logs))} to "
        f"{_percent(max(logs))}",
    )


def _percent(log: float) -> str:
    return percent(math.expm1(min(log, LARGEST_LOG)))
