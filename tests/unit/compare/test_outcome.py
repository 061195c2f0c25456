"""The decision, the counts and the exit code of a run."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from farm.compare.amounts import fraction
from farm.compare.drift import drift
from farm.compare.outcome import Decision, canaries, counts, decision, exit_code, ranked
from farm.compare.words import SYMBOLS, change_of, interval, percent
from farm.errors import ExitCode, Fault, Stage
from farm.model.comparison import Change, Comparing, Comparison, Effect, Verdict
from farm.model.outputs import Against, OutputCheck, OutputVerdict
from farm.model.run import CellStatus, Results
from tests.unit.compare.made import cell, noise, run, timed

WRONG = OutputCheck("arm-1", "arm-1/m/fp32", Against.GOLDEN, "g", OutputVerdict.WRONG, "")
UNKNOWN = replace(WRONG, verdict=OutputVerdict.NOT_COMPARABLE)


def one(verdict: Verdict, ratio: float = 1.0, p: float = 0.5, **fields) -> Comparison:
    effect = Effect(ratio, ratio * 0.99, ratio * 1.01, ratio * 0.99, ratio * 1.01, p, 20)
    return Comparison("arm-1", "a", "b", Change.BUILD, verdict, "", **{"confirm": effect, **fields})


def ended(*verdicts: Verdict, max_undecided: int = 0, canary: tuple[Verdict, ...] = (), **fields) -> Results:
    made = run(cell(*timed([1.0])))
    compared = (*map(one, verdicts), *(one(verdict, is_canary=True) for verdict in canary))
    return replace(made, comparisons=compared, comparing=Comparing(max_undecided=max_undecided), **fields)


FAILED = cell(device="arm-2", status=CellStatus.FAILED, stage=Stage.CONNECT, fault=Fault.NETWORK)
SLOWER, FASTER, UNCHANGED = Verdict.SLOWER, Verdict.FASTER, Verdict.UNCHANGED
INCONCLUSIVE, INVALID = Verdict.INCONCLUSIVE, Verdict.INVALID


@pytest.mark.parametrize(
    ("results", "code", "decided"),
    [
        (ended(), ExitCode.OK, None),
        (ended(UNCHANGED, FASTER), ExitCode.OK, Decision.GO),
        (ended(UNCHANGED, SLOWER, INVALID), ExitCode.REGRESSION, Decision.NO_GO),
        (ended(UNCHANGED, INCONCLUSIVE), ExitCode.UNDECIDED, Decision.UNDECIDED),
        (ended(UNCHANGED, INVALID), ExitCode.UNDECIDED, Decision.UNDECIDED),
        (ended(INVALID, INCONCLUSIVE, max_undecided=2), ExitCode.OK, Decision.GO),
        (ended(INVALID, INCONCLUSIVE, max_undecided=1), ExitCode.UNDECIDED, Decision.UNDECIDED),
        (ended(canary=(SLOWER,) * 5), ExitCode.UNDECIDED, Decision.UNDECIDED),
        (ended(canary=(UNCHANGED,) * 20 + (SLOWER, INVALID)), ExitCode.OK, None),
        (ended(UNCHANGED, canary=(FASTER,) * 5, max_undecided=9), ExitCode.UNDECIDED, Decision.UNDECIDED),
        (ended(SLOWER, canary=(FASTER,) * 5), ExitCode.UNDECIDED, Decision.UNDECIDED),
        (ended(SLOWER, canary=(FASTER,) * 5, outputs=(WRONG,)), ExitCode.REGRESSION, Decision.NO_GO),
        (ended(outputs=(WRONG,)), ExitCode.REGRESSION, Decision.NO_GO),
        (ended(outputs=(replace(WRONG, verdict=OutputVerdict.FINDING),)), ExitCode.OK, None),
        (ended(UNCHANGED, outputs=(UNKNOWN,)), ExitCode.UNDECIDED, Decision.UNDECIDED),
        (ended(outputs=(UNKNOWN,)), ExitCode.UNDECIDED, Decision.UNDECIDED),
        (ended(outputs=(UNKNOWN,), max_undecided=1), ExitCode.OK, None),
        (ended(outputs=(replace(UNKNOWN, against=Against.DEVICE),)), ExitCode.OK, None),
    ],
)  # fmt: skip
def test_the_exit_code_is_that_of_what_was_asked(results, code, decided):
    assert exit_code(results) is code
    assert decision(results) is decided


def test_of_several_codes_the_order_is_4_1_3_5():
    cells = (*ended().cells, FAILED)
    assert exit_code(ended(SLOWER, cells=(FAILED,))) is ExitCode.NOTHING_RAN
    assert exit_code(ended(SLOWER, INVALID, cells=cells)) is ExitCode.REGRESSION
    assert exit_code(ended(INVALID, cells=cells)) is ExitCode.CELLS_FAILED
    assert exit_code(ended(INVALID, losses=("a line",))) is ExitCode.CELLS_FAILED
    assert exit_code(ended(outputs=(WRONG,), cells=(FAILED,))) is ExitCode.REGRESSION


def test_a_canary_is_never_a_regression_and_is_not_counted_with_the_others():
    made = ended(UNCHANGED, canary=(SLOWER,))
    assert exit_code(made) is ExitCode.OK
    assert counts(made.comparisons) == {v: int(v is UNCHANGED) for v in SYMBOLS}
    assert canaries(made.comparisons).changed == 1
    assert len(ranked(made.comparisons)) == 1


def test_canaries_without_a_verdict_do_not_make_the_rate_look_better():
    seen = canaries(ended(canary=(INVALID, INVALID, UNCHANGED)).comparisons)
    assert (seen.total, seen.changed) == (1, 0)
    assert canaries(()).is_out_of_bounds is False


def test_what_changed_comes_first_by_significance_times_size():
    small, large, sure = one(SLOWER, 1.04, 1e-3), one(SLOWER, 1.2, 1e-3), one(SLOWER, 1.04, 1e-9)
    rest = [one(FASTER, 0.5, 1e-9), one(INCONCLUSIVE), one(INVALID, confirm=None), one(UNCHANGED)]
    assert ranked([*reversed(rest), small, sure, large]) == (large, sure, small, *rest)


def test_effects_that_are_no_numbers_have_a_place_in_the_order():
    odd = [one(SLOWER, ratio, p) for ratio in (0.0, -1.0, math.nan, math.inf) for p in (0.0, math.nan, 2.0)]
    assert len(ranked(odd)) == len(odd)


@pytest.mark.parametrize(
    ("fraction_", "text"),
    [
        (0.048, "+4.8 %"),
        (-0.088, "-8.8 %"),
        (0.0, "+0.0 %"),
        (0.0004, "+0.04 %"),
        (1.5, "+150 %"),
        (1e9, "+1.0e+11 %"),
    ],
)
def test_a_fraction_is_shown_in_percent(fraction_, text):
    assert percent(fraction_) == text


def test_the_interval_of_too_few_pairs_is_none():
    effect = Effect(1.05, None, None, None, None, 1.0, 3)
    assert interval(effect) is None
    assert change_of(effect) == "+5.0 %"


@pytest.mark.parametrize(
    ("text", "value"), [("3%", 0.03), ("0.03", 0.03), (" 2.5 % ", 0.025), (".5", 0.5), ("100%", 1)]
)
def test_a_minimum_effect_is_read(text, value):
    assert fraction(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["", "0", "0%", "3", "101%", "-1%", "nan", "inf", "1e-2", "3%%", "\uff13%", "9" * 400]
)
def test_what_is_no_fraction_is_refused(text):
    with pytest.raises(ValueError, match=r"no fraction|not more than 0"):
        fraction(text)


def test_drift_is_the_change_over_all_values_and_noise_is_none():
    assert drift([10 * 1.01**i for i in range(20)], 0.03) == pytest.approx(1.01**19 - 1)
    assert drift([10 * 0.99**i for i in range(2000)], 0.03) < -0.9
    assert [drift(noise(20, 0.05, seed=seed), 0.03) for seed in range(30)].count(None) >= 28
    assert drift([10 * 1.0001**i for i in range(20)], 0.03) is None  # sure, and too small to matter
    assert drift([], 0.03) is drift([0.0] * 20, 0.03) is drift([5.0] * 20, 0.03) is None
