"""Where the level of a series changes. Pure: medians in, places out.

The medians are compared as logarithms, in units of the series' own noise: that of its steps from point to
point, which a change of level does not enter, and at least that of the rounds of a run. Change points are
those of ruptures' KernelCPD with a linear kernel (the exact optimum of squared deviations and a penalty of
4 ln n; A. Célisse et al., "New efficient algorithms for multiple change-point detection with reproducing
kernels", 2018). Noise alone has one now and then (docs/measurement.md says how often), so what is found is
shown with its evidence, and nothing is decided by it: fresh pairs decide.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

FEWEST = 4
"""Points for a change: two on each side. A single one is off its level for many reasons."""

PENALTY = 4.0
TO_DEVIATION = 1.4826
"""From the median of absolute deviations to the standard deviation of a normal distribution."""
OF_MEDIAN = math.sqrt(math.pi / 2)
"""The standard error of a median over that of a mean."""
LEAST_NOISE = 1e-6
"""Times that are equal to all digits have some, too."""


def noise_of(logs: Sequence[float], rounds: Sequence[Sequence[float]] = ()) -> float | None:
    """The standard deviation of one point about its level, as a logarithm; None for fewer than FEWEST points.

    `logs` are logarithms of medians in order, `rounds` the values in ms that each is the median of.
    """
    if len(logs) < FEWEST:
        return None
    steps = [after - before for before, after in itertools.pairwise(logs)]
    between = TO_DEVIATION * _deviation(steps) / math.sqrt(2)
    within = [one for one in map(_error, rounds) if one is not None]
    return max(between, statistics.median(within) if within else 0.0, LEAST_NOISE)


def change_points(logs: Sequence[float], noise: float, least: float) -> list[int]:
    """The places (the number of the first point of a new level) where the medians of both sides are at least
    `least` apart, as logarithms. Each level has two points or more.
    """
    if len(logs) < FEWEST:
        return []
    from ruptures import KernelCPD  # with SciPy it takes a second to import

    scaled = _column([one / noise for one in _without_spikes(logs)])
    penalty = PENALTY * math.log(len(logs))
    found = KernelCPD(kernel="linear", min_size=2).fit(scaled).predict(pen=penalty)[:-1]
    return _large_enough(logs, list(map(int, found)), least)


def _without_spikes(logs: Sequence[float]) -> list[float]:
    """Running medians of three (J. W. Tukey, "Exploratory Data Analysis", 1977, chapter 7): a step stays
    where it is; a single odd point is gone, which would else make a level of two with its neighbour. The
    first and the last point are as those beside them.
    """
    inner = [statistics.median(logs[at - 1 : at + 2]) for at in range(1, len(logs) - 1)]
    return [inner[0], *inner, inner[-1]]


def _large_enough(logs: Sequence[float], places: list[int], least: float) -> list[int]:
    """Without the smallest steps, one after the other: what they part becomes one level."""
    while places:
        bounds = [0, *places, len(logs)]
        levels = [statistics.median(logs[a:b]) for a, b in itertools.pairwise(bounds)]
        steps = [abs(after - before) for before, after in itertools.pairwise(levels)]
        smallest = min(range(len(steps)), key=steps.__getitem__)
        if steps[smallest] >= least:
            break
        del places[smallest]
    return places


def _deviation(values: Sequence[float]) -> float:
    middle = statistics.median(values)
    return statistics.median(abs(one - middle) for one in values)


def _error(values_ms: Sequence[float]) -> float | None:
    """The standard error of the median of rounds, as a logarithm; None for fewer than three times."""
    logs = [math.log(one) for one in values_ms if one > 0]
    if len(logs) < 3:
        return None
    return OF_MEDIAN * TO_DEVIATION * _deviation(logs) / math.sqrt(len(logs))


def _column(values: Sequence[float]) -> object:
    import numpy as np

    return np.asarray(values, dtype=np.float64).reshape(-1, 1)
