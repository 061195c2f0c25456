"""Several profiles of one cell as one: medians, ranges, and what these say of a change. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from farm.model.operators import Operator, Profile, Side, Timed

FEWEST_ROUNDS = 3
"""Below this no range can tell a change from chance."""

TICK_MS = 0.001
"""A profile counts in microseconds."""


def side(name: str, profiles: Sequence[Profile], end_to_end_ms: float | None = None) -> Side:
    """The profiled rounds of one cell as one: median, least and greatest time of each operator.

    An operator that only some rounds have is over those. `end_to_end_ms` is the median of the timed rounds.
    """
    return Side(name, tuple(map(_timed, _by_operator(profiles))), len(profiles), end_to_end_ms)


def merged(profiles: Sequence[Profile]) -> Profile:
    """The profiled rounds of one cell (at least one) as one profile: each operator with its median times, in
    the order of `side`. Sums are those of the medians, with the median of what is unlisted.
    """
    if len(profiles) == 1:
        return profiles[0]
    operators = tuple(_median(ones) for ones in _by_operator(profiles))
    rest_ms = median(one.device_ms - math.fsum(op.device_ms for op in one.operators) for one in profiles)
    rest_host_ms = median(one.host_ms - math.fsum(op.host_ms for op in one.operators) for one in profiles)
    return Profile(
        operators,
        math.fsum((*(one.device_ms for one in operators), rest_ms)),
        math.fsum((*(one.host_ms for one in operators), rest_host_ms)),
        max(one.unlisted for one in profiles),
        tuple(dict.fromkeys(text for one in profiles for text in one.problems)),
    )


def is_apart(before: Timed, after: Timed) -> bool:
    """Whether an operator changed: three rounds or more each, and between the ranges a gap that is wider than
    either of them (and than a tick of the clock). Of three rounds each without a change, 1 in 130 is so, of
    five less than 1 in 10,000; ranges that only do not overlap are 1 in 10 (decision 31).
    """
    if min(before.rounds, after.rounds) < FEWEST_ROUNDS:
        return False
    gap_ms = max(after.low_ms - before.high_ms, before.low_ms - after.high_ms)
    widths_ms = (one.high_ms - one.low_ms for one in (before, after))
    return gap_ms > max(*widths_ms, TICK_MS)


def _by_operator(profiles: Sequence[Profile]) -> Iterator[list[Operator]]:
    """Each operator in the rounds that have it; of one name and type in the order of computation."""
    met: dict[tuple[str, str, int], list[Operator]] = {}
    for profile in profiles:
        seen: dict[tuple[str, str], int] = {}
        for one in profile.operators:
            key = (one.name or one.id, one.type)
            seen[key] = seen.get(key, -1) + 1
            met.setdefault((*key, seen[key]), []).append(one)
    yield from met.values()


def _timed(ones: Sequence[Operator]) -> Timed:
    times = [one.device_ms for one in ones]
    return Timed(ones[0], median(times), min(times), max(times), len(times))


def _median(ones: Sequence[Operator]) -> Operator:
    return replace(
        ones[0],
        device_ms=median(one.device_ms for one in ones),
        kernel_ms=median(one.kernel_ms for one in ones),
        host_ms=median(one.host_ms for one in ones),
        algorithm=next((one.algorithm for one in ones if one.algorithm), None),
    )
