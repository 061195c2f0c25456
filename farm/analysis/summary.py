"""The summary of a cell's rounds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from farm.analysis.quality import last_attempts
from farm.analysis.ranks import sign_depth
from farm.analysis.steady import steady
from farm.model.comparison import Phase
from farm.model.matrix import RoundKind
from farm.model.run import RoundResult, RoundStatus, Summary


def p90(values: Sequence[float]) -> float:
    """The 90th percentile of at least one value, in the values' unit.

    Hyndman and Fan's definition 7 (linear between order statistics), as in NumPy and R.
    """
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=10, method="inclusive")[-1]


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the median, between two of the values; None for fewer than 6.

    Exact for values that are independent of each other, by the binomial distribution of how many lie below
    the median. Source: Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods" (3rd edition), 3.6.
    """
    depth = sign_depth(len(values), 0.05)
    ordered = sorted(values)
    return (ordered[depth - 1], ordered[-depth]) if depth else None


def first_inference_ms(result: RoundResult) -> float | None:
    """The first inference of the process: the first warm-up iteration, or without warm-up the first timed."""
    return next(iter(result.warmup_ms + result.e2e_ms[:1]), None)


def is_counted(result: RoundResult) -> bool:
    """Whether a round's value enters the cell's: a timed round that completed and has a value."""
    return (
        result.kind is RoundKind.TIMED
        and result.status is RoundStatus.COMPLETED
        and result.value_ms is not None
        and bool(result.e2e_ms)
    )


FEWEST_FRESH = 6
"""With fewer there is no 95 % interval of their median: a phase that broke off early decides nothing."""


def of_deciding_phase(rounds: Sequence[RoundResult]) -> list[RoundResult]:
    """The fresh rounds, since who gets them was decided by the values of those before; else all."""
    fresh = [result for result in rounds if result.phase is Phase.CONFIRM]
    return (
        fresh if len(fresh) >= FEWEST_FRESH else [one for one in rounds if one.phase is Phase.SCREEN] or fresh
    )


def summarise(rounds: Sequence[RoundResult]) -> Summary | None:
    """The summary of a cell over its completed timed rounds, all times in ms; None when there is none. Of a
    round that was repeated the last attempt counts; where there are fresh rounds, these alone.

    Median, low and high are over the rounds' values (one each); p90 and min are over the steady
    iterations of all these rounds; load and first inference are medians over those that have them.
    """
    counted = of_deciding_phase([result for result in last_attempts(rounds) if is_counted(result)])
    if not counted:
        return None
    values = [result.value_ms for result in counted if result.value_ms is not None]
    iterations = [time_ms for result in counted for time_ms in result.e2e_ms[steady(result.e2e_ms)[0]]]
    low_ms, high_ms = median_interval(values) or (None, None)
    return Summary(
        rounds=len(values),
        median_ms=statistics.median(values),
        low_ms=min(values),
        high_ms=max(values),
        p90_ms=p90(iterations),
        min_ms=min(iterations),
        load_ms=_median(result.load_ms for result in counted),
        first_ms=_median(first_inference_ms(result) for result in counted),
        median_low_ms=low_ms,
        median_high_ms=high_ms,
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
