import math
import statistics
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from farm.analysis import effects
from farm.analysis.effects import half_width_90
from farm.analysis.ranks import EXACT_PAIRS, rank_sum_depth, signed_rank_depth
from farm.model.comparison import Effect

SIZES = [1, 4, 5, 6, 7, 10, 11, 20, 30, 60, EXACT_PAIRS, EXACT_PAIRS + 1, 300]
DECIMALS = [9, 2, 1]
"""Of log ratios: with 9 there are no ties, with 1 there is little else."""


def paired(before_ms, after_ms) -> Effect:
    return effects.paired([*before_ms], [*after_ms])


def unpaired(before_ms, after_ms) -> Effect:
    return effects.unpaired([*before_ms], [*after_ms])


def noisy_ms(seed: int, count: int) -> np.ndarray:
    """Times that are not taken for printed ones."""
    return np.random.default_rng(seed).uniform(5, 9, count)


def logs(effect: Effect) -> tuple[float, ...]:
    return tuple(math.log(x) for x in (effect.ratio, effect.low, effect.high, effect.low_90, effect.high_90))


def assert_agrees_with_itself(effect: Effect) -> None:
    """1 lies outside of an interval exactly when the test rejects at its level."""
    for low, high, level in ((effect.low, effect.high, 0.05), (effect.low_90, effect.high_90, 0.10)):
        is_inside = low is None or low <= 1 <= high
        assert is_inside == (effect.p > level), effect
    if effect.low is not None:
        assert effect.low <= effect.low_90 <= effect.ratio <= effect.high_90 <= effect.high


@pytest.mark.parametrize("decimals", DECIMALS)
@pytest.mark.parametrize("pairs", SIZES)
def test_no_change_lies_outside_of_the_interval_exactly_when_the_test_rejects(pairs, decimals):
    rng = np.random.default_rng(pairs)
    for shift in (0.0, 0.02, -0.05):
        ratios = np.exp(np.round(rng.normal(shift, 0.05, pairs), decimals))
        before_ms = noisy_ms(pairs, pairs)
        assert_agrees_with_itself(paired(before_ms, before_ms * ratios))


@pytest.mark.parametrize("decimals", DECIMALS)
@pytest.mark.parametrize(
    "sizes", [(1, 1), (2, 9), (4, 4), (5, 5), (10, 10), (7, 30), (30, 30), (3, 200), (101, 100)]
)
def test_it_does_so_between_two_samples_that_nothing_joins(sizes, decimals):
    rng = np.random.default_rng(sizes)
    for shift in (0.0, 0.02, -0.05):
        before, after = (
            math.pi * np.exp(np.round(rng.normal(centre, 0.05, size), decimals))
            for centre, size in zip((0, shift), sizes, strict=True)
        )
        assert_agrees_with_itself(unpaired(before, after))


@pytest.mark.parametrize("pairs", [10, 30, EXACT_PAIRS, EXACT_PAIRS + 1, 400])
def test_the_bounds_lie_at_the_last_sum_of_ranks_that_the_test_rejects(pairs):
    before_ms = noisy_ms(pairs, pairs)
    for level in (0.05, 0.10):
        depth = signed_rank_depth(pairs, level)
        for wanted, is_rejected in ((depth - 1, True), (depth, False)):
            ranks, left = np.arange(1.0, pairs + 1), wanted
            for rank in range(pairs, 0, -1):
                if rank <= left:
                    ranks[rank - 1], left = -rank, left - rank
            found = paired(before_ms, before_ms * np.exp(ranks / 1000))
            assert (found.p <= level) == is_rejected
            assert_agrees_with_itself(found)


@pytest.mark.parametrize("sizes", [(5, 9), (40, 40), (100, 100), (100, 101), (8, 1300)])
def test_between_two_samples_they_lie_at_the_last_one_too(sizes):
    before = np.arange(sizes[0])
    for level in (0.05, 0.10):
        depth = rank_sum_depth(sizes[0], sizes[1], level)
        for wanted, is_rejected in ((depth - 1, True), (depth, False)):
            exceeded = np.full(sizes[1], wanted // sizes[1])
            exceeded[: wanted % sizes[1]] += 1
            found = unpaired(np.exp(before / 1000), np.exp((exceeded - 0.5) / 1000))
            assert (found.p <= level) == is_rejected
            assert_agrees_with_itself(found)


@pytest.mark.parametrize("pairs", SIZES)
def test_p_is_scipys_where_no_ratios_are_equal(pairs):
    ratios = np.random.default_rng(pairs).normal(0.01, 0.05, pairs)
    before_ms = noisy_ms(pairs, pairs)
    method = {"method": "exact"} if pairs <= EXACT_PAIRS else {"method": "asymptotic", "correction": True}
    expected = stats.wilcoxon(ratios, **method).pvalue
    assert paired(before_ms, before_ms * np.exp(ratios)).p == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("sizes", "method"), [((5, 9), "exact"), ((100, 100), "exact"), ((100, 101), "asymptotic")]
)
def test_p_between_two_samples_is_scipys(sizes, method):
    before, after = (noisy_ms(seed, size) for seed, size in enumerate(sizes))
    expected = stats.mannwhitneyu(after, before, method=method).pvalue
    assert unpaired(before, after).p == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("pairs", [1, 2, 9, 10, 41])
def test_the_estimate_is_the_median_of_all_averages_of_two(pairs):
    ratios = np.random.default_rng(pairs).normal(0, 0.1, pairs)
    averages = [(ratios[i] + ratios[j]) / 2 for i in range(pairs) for j in range(i, pairs)]
    before_ms = noisy_ms(pairs, pairs)
    found = paired(before_ms, before_ms * np.exp(ratios))
    assert math.log(found.ratio) == pytest.approx(statistics.median(averages), abs=1e-9)
    assert (found.n, found.is_paired) == (pairs, True)


def test_between_two_samples_it_is_the_median_of_all_differences():
    before, after = noisy_ms(1, 9), noisy_ms(2, 14)
    found = unpaired(before, after)
    differences = np.subtract.outer(np.log(after), np.log(before))
    assert math.log(found.ratio) == pytest.approx(np.median(differences), abs=1e-9)
    assert (found.n, found.is_paired) == (9, False)


@pytest.mark.parametrize("pairs", [EXACT_PAIRS - 1, EXACT_PAIRS + 1])
def test_the_normal_form_of_many_pairs_goes_on_where_the_exact_one_ends(pairs):
    before_ms = noisy_ms(1, pairs)
    found = paired(before_ms, before_ms * np.exp(np.random.default_rng(2).normal(0, 0.1, pairs)))
    half = (math.log(found.high) - math.log(found.low)) / 2
    assert half == pytest.approx(1.96 * 0.1 * math.sqrt(math.pi / 3 / pairs), rel=0.15)


def test_a_hundred_thousand_averages_of_two_are_never_all_in_memory():
    before_ms = noisy_ms(1, 20_000)
    found = paired(before_ms, before_ms * 1.05 * np.exp(np.random.default_rng(2).normal(0, 0.1, 20_000)))
    assert found.ratio == pytest.approx(1.05, abs=0.003)


TIMES = st.lists(st.floats(0.5, 50, allow_nan=False), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(TIMES, st.randoms(use_true_random=False))
def test_the_other_direction_is_the_inverse(before_ms, random):
    after_ms = [value * random.choice([0.9, 1.0, 1.0, 1.1, random.uniform(0.5, 2)]) for value in before_ms]
    there, back = paired(before_ms, after_ms), paired(after_ms, before_ms)
    assert there.ratio * back.ratio == pytest.approx(1)
    assert there.p == pytest.approx(back.p)
    for one, other in ((there.low, back.high), (there.low_90, back.high_90)):
        assert (one is None) == (other is None)
        assert one is None or one * other == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30))
def test_equal_ratios_never_make_an_effect_more_certain(steps):
    """Where no ratios are equal any more, because they move a little in a random direction, p may be smaller."""
    before_ms = noisy_ms(1, len(steps))
    moved = np.random.default_rng(len(steps)).uniform(-1e-6, 1e-6, len(steps))
    tied = paired(before_ms, before_ms * np.exp(np.array(steps) / 100))
    assert_agrees_with_itself(tied)
    assert tied.p >= paired(before_ms, before_ms * np.exp(np.array(steps) / 100 + moved)).p - 1e-9


def test_all_equal_pairs_are_no_effect_for_certain():
    before_ms = noisy_ms(1, 10)
    found = paired(before_ms, before_ms)
    assert (found.ratio, found.low, found.high, found.p) == (1.0, 1.0, 1.0, 1.0)


def test_a_time_of_zero_counts_as_a_printed_digit_or_the_smallest_time_seen():
    assert paired([0.0] * 10, [20.0] * 10).ratio == pytest.approx(20_000)
    assert paired([0.0] * 10, [0.0003] * 10).ratio == pytest.approx(1)
    assert unpaired([0.0] * 10, [20.0] * 10).ratio == pytest.approx(20_000)


@pytest.mark.parametrize("compare", [paired, unpaired])
def test_times_that_no_clock_resolved_have_no_interval(compare):
    assert compare([0.0] * 10, [0.0] * 10) == Effect(1.0, None, None, None, None, 1.0, 10, compare is paired)


@pytest.mark.parametrize("compare", [paired, unpaired])
def test_no_rounds_are_an_effect_that_says_nothing(compare):
    assert compare([], []) == Effect(1.0, None, None, None, None, 1.0, 0, compare is paired)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, -1.0])
def test_what_is_no_time_is_left_out_with_its_partner(odd):
    before_ms, after_ms = [*noisy_ms(1, 10)], [*noisy_ms(2, 10)]
    expected = paired(before_ms, after_ms)
    assert paired([*before_ms, odd, 5.0], [*after_ms, 5.0, odd]) == expected
    assert unpaired([*before_ms, odd], after_ms) == unpaired(before_ms, after_ms)


def test_absurd_times_give_a_ratio_that_can_be_written():
    found = paired([5e-324] * 8, [1.7e308] * 8)
    assert all(math.isfinite(value) for value in (found.ratio, found.low, found.high))
    assert math.isfinite(unpaired([1.7e308] * 8, [5e-324] * 8).ratio)


def test_sides_of_different_lengths_are_no_pairs():
    with pytest.raises(ValueError):
        paired([1.0], [1.0, 2.0])


def test_times_printed_to_three_decimals_may_differ_by_a_digit_that_nobody_sees():
    found = paired([0.038] * 20, [0.038] * 20)
    assert found.low == pytest.approx(1 - 0.001 / 0.038, abs=0.001)
    assert found.high == pytest.approx(1 + 0.001 / 0.038, abs=0.001)
    exact = paired([0.0381234] * 20, [0.0381234] * 20)
    assert (exact.low, exact.high) == (1.0, 1.0)


def test_what_scatters_over_several_digits_is_not_made_less_certain():
    rng = np.random.default_rng(1)
    before_ms, after_ms = (rng.uniform(0.030, 0.046, 40) for _ in range(2))
    printed = paired(np.round(before_ms, 3), np.round(after_ms, 3))
    assert logs(printed) == pytest.approx(logs(paired(before_ms, after_ms)), abs=0.02)


def test_the_half_width_is_that_of_the_interval_of_90_per_cent():
    before_ms, after_ms = noisy_ms(1, 10), noisy_ms(2, 10)
    found = paired(before_ms, after_ms)
    assert half_width_90([*before_ms], [*after_ms]) == pytest.approx(
        math.log(found.high_90 / found.low_90) / 2
    )
    assert half_width_90([1.0] * 4, [1.1, 1.2, 1.3, 1.4]) is None
    assert half_width_90([0.0] * 10, [0.0] * 10) is None


def test_numpy_and_scipy_are_imported_when_they_are_needed():
    modules = ["effects", "verdicts", "sample_size", "canary", "ranks", "summary", "stability"]
    program = f"import sys, {', '.join(f'farm.analysis.{name}' for name in modules)}\n"
    program += "sys.exit('numpy' in sys.modules or 'scipy' in sys.modules)"
    subprocess.run((sys.executable, "-c", program), check=True, timeout=60)


def test_the_interval_of_a_median_needs_no_numpy():
    """Lanes ask for it between two rounds, where its import would keep all of them waiting."""
    program = "import sys\nfrom farm.analysis.summary import median_interval\n"
    program += "assert median_interval([float(n) for n in range(20)]) == (5.0, 14.0)\n"
    program += "sys.exit('numpy' in sys.modules)"
    subprocess.run((sys.executable, "-c", program), check=True, timeout=60)
