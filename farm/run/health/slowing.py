"""A device that is slower than its own history. Pure: its series in, a word on the device out.

Only runs of the same build, model, input and options are compared, so what is left is the device: dust, a
worn battery, another governor. One run is never enough: a night may be noisy.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from farm.history.change_points import TO_DEVIATION
from farm.history.nouns import Point, Series, Why
from farm.history.reading import alike, changed_between, is_measured
from farm.run.health.nouns import IN_A_ROW, Slower
from farm.visible import one_line

FEWEST_RUNS = 6
"""Before those, to know what is usual."""
MOST_RUNS = 30
MOST_SIGMAS = 4.0
LEAST = 0.05
MOST_EVIDENCE = 3
LONGEST_EVIDENCE = 200
SAME = (Why.OTHER, Why.BUILD)


def slower(series: Iterable[Series]) -> Slower | None:
    """Of one device; None where it is as it was, or too little is known."""
    levels: defaultdict[str, list[float]] = defaultdict(list)
    began: dict[str, float] = {}
    evidence: list[str] = []
    for one in series:
        points = _comparable(one.points)
        if len(points) < FEWEST_RUNS + IN_A_ROW:
            continue
        evidence += changed_between(points[-IN_A_ROW - 1], points[-1], Why.CONTEXT)
        for point, level in _levels(points):
            levels[point.run].append(level)
            began[point.run] = point.started_s
    each = {run: statistics.median(levels[run]) for run in sorted(levels, key=lambda run: (began[run], run))}
    if len(each) < FEWEST_RUNS + IN_A_ROW:
        return None
    before, last = [*each.values()][:-IN_A_ROW], [*each.values()][-IN_A_ROW:]
    middle = statistics.median(before)
    noise = TO_DEVIATION * statistics.median([abs(one - middle) for one in before])
    if min(last) - middle < max(math.log1p(LEAST), MOST_SIGMAS * noise):
        return None
    return Slower(
        math.exp(statistics.median(last) - middle),
        len(levels[[*each][-1]]),
        len(before),
        tuple(one_line(text, LONGEST_EVIDENCE) for text in dict.fromkeys(evidence))[:MOST_EVIDENCE],
    )


def _comparable(points: Sequence[Point]) -> list[Point]:
    measured = [point for point in points if is_measured(point)]
    return alike(measured, measured[-1], SAME)[-MOST_RUNS - IN_A_ROW :] if measured else []


def _levels(points: Sequence[Point]) -> Iterator[tuple[Point, float]]:
    """As logarithms, relative to what is usual of the cell."""
    logs = [math.log(point.median_ms or 1.0) for point in points]
    usual = statistics.median(logs[:-IN_A_ROW])
    return ((point, log - usual) for point, log in zip(points, logs, strict=True))
