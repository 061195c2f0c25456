"""The mean of many changes: the right mean, and an interval that is no narrower than what is known."""

from __future__ import annotations

import math
import statistics

import pytest
from scipy import stats

from farm.analysis.means import geometric_mean


def test_twice_and_half_the_time_are_no_change_on_the_whole() -> None:
    found = geometric_mean({"a": [2.0], "b": [0.5], "c": [1.0]})
    assert found.ratio == pytest.approx(1.0)
    assert (found.count, found.groups) == (3, 3)
    assert found.low == pytest.approx(1 / found.high)


def test_the_interval_is_that_of_student_over_the_models_where_all_have_as_many_cells() -> None:
    ratios = {"a": [1.01, 1.03], "b": [0.98, 0.99], "c": [1.10, 1.20], "d": [1.0, 1.05]}
    means = [statistics.fmean(map(math.log, values)) for values in ratios.values()]
    low, high = stats.t.interval(0.95, 3, statistics.fmean(means), stats.sem(means))
    found = geometric_mean(ratios)
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_the_same_change_on_ten_times_as_many_devices_is_no_more_evidence() -> None:
    few = geometric_mean({"a": [1.01], "b": [1.05], "c": [0.97]})
    many = geometric_mean({"a": [1.01] * 10, "b": [1.05] * 10, "c": [0.97] * 10})
    assert (many.low, many.high) == pytest.approx((few.low, few.high))


def test_a_model_with_more_cells_counts_by_these() -> None:
    found = geometric_mean({"a": [2.0] * 8, "b": [1.0], "c": [1.0]})
    assert found.ratio == pytest.approx(2**0.8)
    assert found.low < 1 < found.high


def test_two_models_are_too_few_for_an_interval() -> None:
    found = geometric_mean({"a": [1.1, 1.1], "b": [1.2]})
    assert (found.low, found.high) == (None, None)


def test_what_is_no_ratio_is_left_out_and_nothing_has_no_mean() -> None:
    odd = [0.0, -1.0, math.inf, math.nan]
    assert geometric_mean({"a": odd, "b": [1.5]}).count == 1
    assert geometric_mean({"a": odd}) is None
    assert geometric_mean({}) is None
    huge = geometric_mean({"a": [1e308], "b": [1e-308], "c": [1e308]})
    assert math.isfinite(huge.high)
