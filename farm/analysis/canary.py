"""Whether a run's canaries (cells compared with themselves) changed more often than chance allows."""

from __future__ import annotations

EXPECTED = 0.05
"""The share of canaries that may seem changed."""

LEVEL = 0.01
"""Below this chance of so many, the run itself is in doubt."""


def is_out_of_bounds(changed: int, canaries: int) -> bool:
    """Whether so many of the canaries are too many: the binomial test against 5 %, one-sided, p < 0.01.

    One-sided, because canaries that change less often than expected are what is wanted.
    """
    from scipy import stats

    if changed <= 0:
        return False
    count = max(changed, canaries)
    return bool(stats.binomtest(changed, count, EXPECTED, alternative="greater").pvalue < LEVEL)
