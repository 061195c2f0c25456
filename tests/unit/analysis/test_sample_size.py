import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.analysis.effects import paired
from farm.analysis.sample_size import (
    FEWEST_FRESH_PAIRS,
    MOST_PAIRS,
    PILOT_PAIRS,
    pairs_to_decide,
    pairs_wanted,
    rounds_to_resolve,
)
from farm.analysis.summary import median_interval
from farm.analysis.verdicts import decide, screen_settles
from farm.model.comparison import Effect, Verdict

MINIMUM = 0.03


def pairs(
    rng: np.random.Generator, noise: float, count: int, change: float = 0.0
) -> tuple[list[float], list[float]]:
    """Heavy-tailed noise of pairs; most of it lies within +-`noise`."""
    before_ms = rng.uniform(18, 22, count)
    return [*before_ms], [*(before_ms * (1 + change) * np.exp(rng.standard_t(3, count) * noise))]


def verdict(rng: np.random.Generator, noise: float, change: float) -> Verdict:
    pilot = pairs(rng, noise, PILOT_PAIRS, change)
    if screen_settles(paired(*pilot), MINIMUM):
        return Verdict.UNCHANGED
    found = paired(*pairs(rng, noise, pairs_to_decide(*pilot, MINIMUM), change))
    return decide(found, found.p, MINIMUM)


@pytest.mark.parametrize(
    ("change", "expected"), [(0.0, Verdict.UNCHANGED), (0.05, Verdict.SLOWER), (-0.06, Verdict.FASTER)]
)
def test_the_pairs_that_a_pilot_asks_for_decide(change, expected):
    rng = np.random.default_rng(1)
    found = [verdict(rng, 0.02, change) for _ in range(100)]
    assert found.count(expected) >= 90
    assert set(found) <= {expected, Verdict.INCONCLUSIVE}


def test_a_noisier_pilot_asks_for_more_pairs_up_to_the_most():
    counts = [
        pairs_to_decide(*pairs(np.random.default_rng(1), noise, 10), MINIMUM)
        for noise in (0.01, 0.03, 0.06, 3)
    ]
    assert counts == sorted(counts)
    assert counts[0] >= FEWEST_FRESH_PAIRS
    assert counts[-1] == MOST_PAIRS


def test_twice_the_noise_takes_four_times_the_pairs():
    one, two = (
        pairs_to_decide(*pairs(np.random.default_rng(1), noise, 10), MINIMUM) for noise in (0.03, 0.06)
    )
    assert two == pytest.approx(4 * one, rel=0.02)


def test_a_quiet_device_still_gets_enough_pairs_for_a_discovery_among_hundreds():
    assert pairs_to_decide([20.0] * 10, [20.0] * 10, MINIMUM) == FEWEST_FRESH_PAIRS
    assert 400 * 2 * 0.5**FEWEST_FRESH_PAIRS < 0.05


@pytest.mark.parametrize("odd", [0.0, math.nan, -1.0, math.inf])
def test_a_pilot_of_odd_times_still_gives_a_number(odd):
    for before_ms, after_ms in (
        ([], []),
        ([odd], [odd]),
        ([odd] * 10, [20.0] * 10),
        ([odd, 20.0] * 5, [20.0] * 10),
    ):
        assert FEWEST_FRESH_PAIRS <= pairs_to_decide(before_ms, after_ms, MINIMUM) <= MOST_PAIRS
        assert FEWEST_FRESH_PAIRS <= rounds_to_resolve(before_ms, 0.02) <= MOST_PAIRS


def test_no_effect_at_all_and_no_tolerance_ask_for_the_most():
    pilot = pairs(np.random.default_rng(1), 0.02, 10)
    assert pairs_to_decide(*pilot, 0.0) == MOST_PAIRS
    assert rounds_to_resolve(pilot[1], 0.0) == MOST_PAIRS


def test_the_rounds_that_a_pilot_asks_for_resolve_the_median():
    rng = np.random.default_rng(1)
    precision, within = 0.02, 0
    for _ in range(100):
        pilot_ms, fresh_ms = (
            20 * np.exp(rng.normal(0, 0.05, 10)),
            20 * np.exp(rng.normal(0, 0.05, MOST_PAIRS)),
        )
        fresh_ms = fresh_ms[: rounds_to_resolve([*pilot_ms], precision)]
        low_ms, high_ms = median_interval(list(fresh_ms))
        middle_ms = np.median(fresh_ms)
        within += middle_ms * (1 - precision) < low_ms and high_ms < middle_ms * (1 + precision)
    assert within >= 85


def undecided(percent: float, error: float, count: int) -> Effect:
    middle, error = math.log1p(percent / 100), error / 100
    low, high, low_90, high_90 = (math.exp(middle + far * error) for far in (-1.96, 1.96, -1.645, 1.645))
    return Effect(math.exp(middle), low, high, low_90, high_90, 0.1, count)


def test_an_imprecise_effect_wants_the_pairs_of_a_phase_that_decides():
    assert pairs_wanted(undecided(0, 2, 30), MINIMUM) == pytest.approx(30 * (2 / (2.956 / 6)) ** 2, rel=0.01)
    assert pairs_wanted(undecided(5, 2, 30), MINIMUM) == pairs_wanted(undecided(0, 2, 30), MINIMUM)


def test_a_precise_one_wants_what_an_effect_of_its_size_takes():
    close, clear = (pairs_wanted(undecided(percent, 0.4, 100), MINIMUM) for percent in (2.4, 1.8))
    assert close > clear > 100


def test_what_lies_at_the_minimum_is_not_decided_by_any_number():
    assert pairs_wanted(undecided(2.99, 0.4, 100), MINIMUM) is None
    assert pairs_wanted(undecided(0, 60, 30), MINIMUM) is None
    assert pairs_wanted(undecided(0, 2, 30), 0.0) is None


def test_what_only_its_rank_among_others_leaves_undecided_wants_one_pair_more_as_long_as_there_are_any():
    assert pairs_wanted(undecided(5, 0.4, 100), MINIMUM) == 101
    assert pairs_wanted(undecided(5, 0.1, MOST_PAIRS), MINIMUM) is None


def test_where_there_is_no_interval_nobody_can_tell():
    assert pairs_wanted(paired([20.0] * 3, [21.0] * 3), MINIMUM) is None
    assert pairs_wanted(paired([], []), MINIMUM) is None


@settings(max_examples=60, deadline=None)
@given(st.floats(-50, 50), st.floats(0, 100), st.integers(6, 3000), st.floats(0, 1))
def test_more_pairs_are_wanted_than_there_were_and_at_most_the_most(percent, error, count, minimum):
    wanted = pairs_wanted(undecided(percent, error, count), minimum)
    assert wanted is None or count < wanted <= MOST_PAIRS or wanted == FEWEST_FRESH_PAIRS
