import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from farm.analysis.effects import paired, unpaired
from farm.analysis.verdicts import decide, false_discovery_rates, screen_settles
from farm.model.comparison import Effect, Verdict

MINIMUM = 0.03


def effect(percent: float, error: float, pairs: int = 50) -> Effect:
    """So many percent, with a standard error of so many percent."""
    middle, error = math.log1p(percent / 100), error / 100
    low, high, low_90, high_90 = (math.exp(middle + far * error) for far in (-1.96, 1.96, -1.645, 1.645))
    p = float(2 * stats.norm.sf(abs(middle) / error))
    return Effect(math.exp(middle), low, high, low_90, high_90, p, pairs)


def rounds(percent: float, noise: float, pairs: int, seed: int = 1) -> tuple[list[float], list[float]]:
    rng = np.random.default_rng(seed)
    before_ms = 20 * np.exp(rng.normal(0, noise, pairs))
    return [*before_ms], [*(20 * (1 + percent / 100) * np.exp(rng.normal(0, noise, pairs)))]


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (effect(0, 0.5), Verdict.UNCHANGED),
        (effect(1, 0.5), Verdict.UNCHANGED),
        (effect(2.5, 0.1), Verdict.UNCHANGED),
        (effect(5, 0.5), Verdict.SLOWER),
        (effect(-5, 0.5), Verdict.FASTER),
        (effect(3.2, 0.3), Verdict.SLOWER),
        (effect(2.9, 0.3), Verdict.INCONCLUSIVE),
        (effect(0, 3), Verdict.INCONCLUSIVE),
        (effect(5, 3), Verdict.INCONCLUSIVE),
        (effect(-5, 3), Verdict.INCONCLUSIVE),
    ],
)
def test_a_change_and_its_absence_are_both_shown_or_not_said(found, verdict):
    assert decide(found, found.p, MINIMUM) is verdict


def test_what_is_not_a_discovery_among_many_is_no_change():
    assert decide(effect(5, 0.5), 0.049, MINIMUM) is Verdict.SLOWER
    assert decide(effect(5, 0.5), 0.05, MINIMUM) is Verdict.INCONCLUSIVE
    assert decide(effect(5, 0.5), math.nan, MINIMUM) is Verdict.INCONCLUSIVE


def test_what_could_be_a_third_of_the_minimum_is_not_slower_however_small_p_is():
    """A change of 1 % that noise makes look like 3.5 %: three standard errors."""
    found = effect(3.5, 0.8)
    assert found.p < 1e-4
    assert decide(found, found.p, MINIMUM) is Verdict.INCONCLUSIVE


def test_a_few_pairs_that_are_alike_by_chance_do_not_show_that_nothing_changed():
    found = effect(0.8, 1.3, pairs=10)
    assert found.high_90 < 1 + MINIMUM
    assert not screen_settles(found, MINIMUM)
    assert screen_settles(effect(0.8, 0.9, pairs=10), MINIMUM)


def test_a_noisy_machine_shows_a_large_change_and_no_other():
    """Of 1 % with this noise, one comparison of 250 has an interval of 95 % beyond the minimum effect."""
    assert decide(effect(80, 12), 1e-4, MINIMUM) is Verdict.SLOWER
    assert decide(effect(-50, 12), 1e-4, MINIMUM) is Verdict.FASTER
    assert effect(40, 12).low > 1 + MINIMUM
    assert decide(effect(40, 12), 1e-4, MINIMUM) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("percent", [0, 1, 5, -5, 50])
def test_fewer_than_six_pairs_decide_nothing(percent):
    found = paired(*rounds(percent, 1e-6, 5))
    assert found.low is None
    assert not screen_settles(found, MINIMUM)
    assert decide(found, 0.0, MINIMUM) is Verdict.INCONCLUSIVE


def test_two_nights_are_never_slower_or_faster():
    for percent in (-20, 20):
        found = unpaired(*rounds(percent, 0.01, 30))
        assert decide(found, found.p, MINIMUM) is Verdict.INCONCLUSIVE
    found = unpaired(*rounds(0, 0.01, 30))
    assert decide(found, found.p, MINIMUM) is Verdict.UNCHANGED


def test_times_that_no_clock_resolved_are_not_unchanged():
    found = paired([0.0] * 40, [0.0] * 40)
    assert decide(found, found.p, MINIMUM) is Verdict.INCONCLUSIVE


def test_ten_microseconds_printed_as_0_010_are_not_unchanged():
    """They could be 9.6 and 10.4."""
    found = paired([0.010] * 40, [0.010] * 40)
    assert decide(found, found.p, MINIMUM) is Verdict.INCONCLUSIVE


def test_one_printed_digit_more_of_ten_microseconds_is_not_slower():
    found = paired([0.010] * 40, [0.011] * 40)
    assert found.p < 1e-9
    assert decide(found, found.p, MINIMUM) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("minimum", [0.0, 0.01, 0.03, 0.5])
def test_exactly_one_of_the_verdicts_holds_for_any_minimum(minimum):
    for percent in range(-60, 61, 3):
        for error in (0.01, 0.3, 3, 30):
            found = effect(percent, error)
            verdict = decide(found, found.p, minimum)
            assert screen_settles(found, minimum) == (verdict is Verdict.UNCHANGED)
            if verdict in {Verdict.SLOWER, Verdict.FASTER}:
                assert abs(math.log(found.ratio)) >= math.log1p(minimum)
                assert (found.ratio > 1) == (verdict is Verdict.SLOWER)


def test_bounds_that_are_missing_in_part_decide_nothing():
    for name in ("low", "high", "low_90", "high_90"):
        found = dataclasses.replace(effect(0, 0.1), **{name: None})
        assert not screen_settles(found, MINIMUM)


def test_rates_are_benjamini_and_hochbergs_over_what_was_confirmed():
    assert false_discovery_rates([]) == ()
    assert false_discovery_rates([0.04]) == (0.04,)
    assert false_discovery_rates([0.01, 0.04, 0.5]) == pytest.approx((0.03, 0.06, 0.5))


def test_a_p_value_that_is_none_counts_as_one():
    assert false_discovery_rates([math.nan, 2.0, -0.5]) == pytest.approx((1.0, 1.0, 0.0))
