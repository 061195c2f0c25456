"""From effects to verdicts. Pure; the method and why it is so: docs/decisions/0017 and 0018.

`unchanged` needs proof as `slower` does: what neither shows is `inconclusive`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from farm.model.comparison import Effect, Verdict

FEWEST_PAIRS = 6
"""With fewer the exact test cannot reach 5 %, so an interval of 95 % has no bounds."""

FALSE_DISCOVERIES = 0.05
"""The share of false ones that is allowed among `faster` and `slower`."""

NEGLIGIBLE = 1 / 3
"""What is `slower` is surely not a change of less than this share of the minimum effect."""

CONSIDERABLE = 5 / 3
"""What is `unchanged` is surely not a change of more than this many minimum effects."""

SURE = 3.89 / 1.96
"""An interval of 99.99 % is so much wider than one of 95 %."""


def screen_settles(effect: Effect, minimum_effect: float) -> bool:
    """Whether the screen shows `unchanged`, so that no fresh pairs are needed. It can settle nothing else.

    True when the 90 % interval lies within the minimum effect (a fraction: 0.03 is 3 %), which is the test
    of equivalence (two one-sided tests) at 5 %, and the effect is surely (99.99 %) less than 5/3 of it: ten
    pairs of noisy rounds are alike by chance now and then, and 5 % is not to be called `unchanged` then.
    Fewer than `FEWEST_PAIRS` settle nothing.
    """
    if effect.low is None or effect.high is None or effect.low_90 is None or effect.high_90 is None:
        return False
    if effect.n < FEWEST_PAIRS:
        return False  # that of few rounds of two nights has bounds, but no comparison is made of them
    minimum = math.log1p(minimum_effect)
    estimate, low, high = (math.log(ratio) for ratio in (effect.ratio, effect.low, effect.high))
    low_90, high_90 = math.log(effect.low_90), math.log(effect.high_90)
    furthest = max(estimate + SURE * (high - estimate), -estimate + SURE * (estimate - low))
    return -minimum < low_90 and high_90 < minimum and furthest < CONSIDERABLE * minimum


def decide(effect: Effect, q: float, minimum_effect: float) -> Verdict:
    """The verdict of fresh pairs; `q` is the false discovery rate at which the effect counts as a change.

    `faster` and `slower`: q < 0.05, the estimate is at least the minimum effect, and the effect is surely
    more than a third of it: a change of 1 % is not called `slower` where the minimum is 3 %, however the
    noise falls. `unchanged`: as `screen_settles`. All else is `inconclusive`, and so is every effect that is
    not paired and not `unchanged`. Noise alone makes nothing `invalid`: more rounds help against it.
    """
    if screen_settles(effect, minimum_effect):
        return Verdict.UNCHANGED
    if effect.is_paired and q < FALSE_DISCOVERIES and _is_shown(effect, minimum_effect):
        return Verdict.SLOWER if effect.ratio > 1 else Verdict.FASTER
    return Verdict.INCONCLUSIVE


def false_discovery_rates(p_values: Sequence[float]) -> tuple[float, ...]:
    """The q value of each p value, by Benjamini and Hochberg, over all comparisons that were confirmed."""
    from scipy import stats

    known = [1.0 if math.isnan(p) else min(1.0, max(0.0, p)) for p in p_values]
    return tuple(float(q) for q in stats.false_discovery_control(known))


def half_width(effect: Effect) -> float | None:
    """From the estimate to the bound of the 95 % interval that is nearer to no change, as a logarithm."""
    bound = effect.low if effect.ratio >= 1 else effect.high
    return None if bound is None else abs(math.log(effect.ratio / bound))


def _is_shown(effect: Effect, minimum_effect: float) -> bool:
    width = half_width(effect)
    if width is None:
        return False
    size, minimum = abs(math.log(effect.ratio)), math.log1p(minimum_effect)
    return size >= minimum and size - SURE * width >= NEGLIGIBLE * minimum
