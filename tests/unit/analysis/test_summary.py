import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from farm.analysis.steady import round_value
from farm.analysis.summary import median_interval, p90, summarise
from farm.model.matrix import RoundKind
from farm.model.run import RoundResult, RoundStatus, Summary


def timed(index: int, e2e_ms: list[float], **more: Any) -> RoundResult:
    value_ms, quality = round_value(e2e_ms)
    made = RoundResult(
        RoundKind.TIMED, index, RoundStatus.COMPLETED, quality, e2e_ms=tuple(e2e_ms), value_ms=value_ms
    )
    return dataclasses.replace(made, **more)


def test_a_round_counts_once_however_many_iterations_it_has():
    summary = summarise([timed(0, [1.0] * 1000), timed(1, [2.0] * 10), timed(2, [3.0] * 10)])
    assert summary is not None
    assert (summary.rounds, summary.median_ms, summary.low_ms, summary.high_ms) == (3, 2.0, 1.0, 3.0)
    assert summary.spread_ms == 2.0


def test_p90_and_min_are_over_the_steady_iterations_of_all_rounds():
    summary = summarise([timed(0, [9.0] * 15 + [2.0] * 25), timed(1, [2.5] * 50 + [1.0] * 5)])
    assert summary is not None
    kept = [9.0] * 4 + [2.0] * 25 + [2.5] * 50 + [1.0] * 5
    assert summary.min_ms == 1.0
    assert summary.p90_ms == pytest.approx(np.percentile(kept, 90))


def test_load_and_first_inference_are_medians_over_the_rounds_that_have_them():
    rounds = [
        timed(0, [1.0] * 10, load_ms=10.0, warmup_ms=(8.0, 2.0)),
        timed(1, [1.0] * 10, load_ms=30.0, warmup_ms=(6.0,)),
        timed(2, [5.0] + [1.0] * 10),
    ]
    summary = summarise(rounds)
    assert summary is not None
    assert (summary.load_ms, summary.first_ms) == (20.0, 6.0)


@pytest.mark.parametrize(
    "left_out",
    [
        timed(1, [100.0] * 10, status=RoundStatus.FAILED),
        timed(1, [100.0] * 10, kind=RoundKind.PROFILE),
        timed(1, [100.0] * 10, value_ms=None),
        timed(1, []),
    ],
    ids=["failed", "profiled", "without a value", "without times"],
)
def test_only_completed_timed_rounds_with_a_value_are_counted(left_out):
    assert summarise([timed(0, [1.0] * 10), left_out]) == Summary(1, 1.0, 1.0, 1.0, 1.0, 1.0, first_ms=1.0)
    assert summarise([left_out]) is None


def test_six_rounds_tell_how_far_their_median_is_known_and_five_do_not():
    six = summarise([timed(index, [float(index + 1)] * 10) for index in range(6)])
    five = summarise([timed(index, [float(index + 1)] * 10) for index in range(5)])
    assert (six.median_low_ms, six.median_high_ms) == (1.0, 6.0)
    assert (five.median_low_ms, five.median_high_ms) == (None, None)


def test_no_rounds_make_no_summary():
    assert summarise([]) is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_p90_agrees_with_numpy(values):
    assert p90(values) == pytest.approx(np.percentile(values, 90), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("rounds", "off"), [(6, 0), (10, 0), (37, 0), (1000, 0), (1001, 1), (2000, 1)])
def test_the_interval_of_a_median_is_that_of_the_sign_test(rounds, off):
    values = list(np.random.default_rng(rounds).permutation(rounds).astype(float))
    outside = int(stats.binom.ppf(0.025, rounds, 0.5))
    assert median_interval(values) == pytest.approx((outside - 1, rounds - outside), abs=off)


def test_few_rounds_have_no_interval():
    assert median_interval([]) is None
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None
