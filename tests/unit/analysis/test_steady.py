import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.analysis.steady import round_value, steady
from farm.model.run import Quality

START_OF_MEGENGINE = (8.2, 6.1, 1.55, 1.37, 1.13)
"""First iterations of a MegEngine process, as multiples of its steady time (reference, 2.1)."""

times_ms = st.lists(st.floats(0, 1e6), min_size=1, max_size=60)


def test_the_slow_start_of_a_process_is_left_out():
    part, reached = steady([*START_OF_MEGENGINE, *[1.0] * 45])
    assert (part.start, reached) == (1, True)  # from there on a median of ten is not moved any more
    part, reached = steady([*START_OF_MEGENGINE, *[1.0] * 5])
    assert (part.start, reached) == (3, True)  # the window of a short round is smaller


def test_a_round_that_is_steady_from_the_start_loses_nothing():
    assert steady([5.0, 5.01, 4.99] * 10) == (slice(0, None), True)


def test_a_long_slow_start_is_cut_where_it_ends():
    part, reached = steady([3.0] * 20 + [1.0] * 60)
    assert reached
    assert part.start == 16  # from there on fewer than half of the window is slow


def test_a_round_that_never_settles_keeps_its_second_half_and_is_flagged():
    slower_and_slower = [1.0 + 0.05 * i for i in range(60)]
    assert steady(slower_and_slower) == (slice(30, None), False)
    assert round_value(slower_and_slower) == (statistics.median(slower_and_slower[30:]), Quality.NOT_STEADY)


def test_a_short_round_that_rises_to_its_end_is_not_called_steady():
    assert round_value([25.0 + i for i in range(12)]) == (33.5, Quality.NOT_STEADY)


def test_times_of_a_few_microseconds_are_steady_when_they_differ_by_one_printed_digit():
    assert steady([0.011] * 15 + [0.010] * 15) == (slice(0, None), True)


def test_too_few_iterations_give_a_value_but_no_judgement():
    assert round_value([2.0, 1.0, 1.0]) == (1.0, Quality.FEW_ITERATIONS)
    assert round_value([1.0] * 10) == (1.0, Quality.OK)


def test_a_round_without_times_has_no_value():
    assert round_value([]) == (None, Quality.NO_TIMES)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0])
def test_one_time_that_is_no_time_takes_the_value_away(wrong):
    assert round_value([1.0] * 20 + [wrong]) == (None, Quality.BAD_TIMES)


@given(times_ms)
def test_at_most_half_of_the_iterations_is_dropped(values):
    part, _ = steady(values)
    assert part.start <= len(values) // 2


@given(times_ms)
def test_the_value_lies_within_the_times(values):
    value_ms, _ = round_value(values)
    assert min(values) <= value_ms <= max(values)


@given(st.lists(st.floats(1, 100), min_size=10, max_size=60))
def test_a_round_that_is_called_ok_starts_within_two_per_cent_of_its_end(values):
    part, reached = steady(values)
    if reached:
        end = statistics.median(values[len(values) // 2 :])
        window = min(10, len(values) // 2)
        assert statistics.median(values[part][:window]) == pytest.approx(end, rel=0.0201, abs=0.0011)
