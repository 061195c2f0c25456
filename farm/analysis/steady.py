"""The steady part of a round, and the one value of the round.

The unit of replication is the round: its iterations are correlated and do not predict the next
process, so a round counts once, with one value.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from farm.model.run import Quality

WINDOW = 10
"""Iterations that are compared with the end of the round."""

FEWEST = 10
"""A round with fewer iterations than this cannot be judged."""

TOLERANCE = 0.02
"""How far, as a fraction, the window's median may lie from that of the last half."""

RESOLUTION_MS = 0.001
"""load_and_run prints three decimals of a millisecond: smaller differences do not count."""

EXACT_RESOLUTION_MS = 0.0001
"""Times of the wheel runtime come with what its clock tells apart: 1 ns, and 42 ns on many ARM boards."""


def steady(e2e_ms: Sequence[float]) -> tuple[slice, bool]:
    """Where the steady part of a round is, and whether it was reached before the round's middle.

    `e2e_ms`: one time per timed iteration in ms, in order, warm-up iterations excluded. The start w is
    the smallest for which the median of iterations w .. w+10 lies within 2 % (or one printed digit) of
    the median of the last half; at most half of the iterations are dropped. Below 20 iterations the
    window is half of the round: a window of ten would be compared with itself. The flag is false when
    w reached its limit, or when there are fewer than 10 iterations, too few to tell.

    Source: Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time" (doi 10.1145/2464157.2464160)
    for leaving out the initial part; the window and the 2 % are farm's own.
    """
    limit = len(e2e_ms) // 2
    if len(e2e_ms) < FEWEST:
        return slice(0, None), False
    window = min(WINDOW, limit)
    level_ms = statistics.median(e2e_ms[limit:])
    allowed_ms = max(TOLERANCE * level_ms, resolution_ms(e2e_ms))
    for start in range(limit):
        if abs(statistics.median(e2e_ms[start : start + window]) - level_ms) <= allowed_ms:
            return slice(start, None), True
    return slice(limit, None), False


def resolution_ms(e2e_ms: Sequence[float]) -> float:
    """What differences of these times mean: one printed digit, unless one of them has more digits."""
    is_printed = all(round(time_ms, 3) == time_ms for time_ms in e2e_ms if math.isfinite(time_ms))
    return RESOLUTION_MS if is_printed else EXACT_RESOLUTION_MS


def round_value(e2e_ms: Sequence[float]) -> tuple[float | None, Quality]:
    """The value of a round in ms, the median of its steady iterations, and its quality.

    The value is None when there are no times, or when one of them is not a time (negative, infinite, NaN).
    """
    if not e2e_ms:
        return None, Quality.NO_TIMES
    if not all(math.isfinite(time_ms) and time_ms >= 0 for time_ms in e2e_ms):
        return None, Quality.BAD_TIMES
    part, reached = steady(e2e_ms)
    value_ms = statistics.median(e2e_ms[part])
    if len(e2e_ms) < FEWEST:
        return value_ms, Quality.FEW_ITERATIONS
    return value_ms, Quality.OK if reached else Quality.NOT_STEADY
