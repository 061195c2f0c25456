"""Whether a round counts, by what the device said of itself meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from farm.model.matrix import RoundKind
from farm.model.run import Quality, RoundResult, RoundStatus

REPEATED = frozenset(
    {Quality.THROTTLED, Quality.FREQUENCY_DRIFT, Quality.BUSY, Quality.MIGRATED, Quality.NOT_STEADY}
)
"""What may be otherwise the next time. A round without times, or with too few, would be the same again."""


def needs_repeat(result: RoundResult) -> bool:
    """Whether a round is to be run once more: a timed one, of the first attempt, that completed and does not
    count for what the device was like. In a duel the whole pair is.
    """
    return (
        result.kind is RoundKind.TIMED
        and result.status is RoundStatus.COMPLETED
        and result.attempt == 0
        and result.quality in REPEATED
    )


def last_attempts(rounds: Iterable[RoundResult]) -> tuple[RoundResult, ...]:
    """Of rounds that were repeated the last attempt only, each in the place of its first one."""
    last = {}
    for one in rounds:
        key = (one.kind, one.phase, one.index)
        if key not in last or one.attempt >= last[key].attempt:
            last[key] = one
    return tuple(last.values())
