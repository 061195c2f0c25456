"""From results to a step: who is to blame for what is not measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from farm.bisect.nouns import Part, Question, Step
from farm.bisect.reading import Failed, changed, step_of
from farm.compare.duels import comparisons
from farm.errors import Fault
from farm.model.comparison import Allotment, Phase, PhasePlan, Verdict
from farm.model.matrix import Sampling
from farm.model.outputs import Against, OutputCheck, OutputVerdict
from farm.model.run import CellStatus, Quality, Results
from tests.unit.compare.made import duel, spoilt

QUESTION = Question(Part.MIDDLE, 0, 3, 0.025, 20)


def step(results: Results) -> Any:
    made = replace(results, comparisons=comparisons(results))
    return step_of(QUESTION, made, ("old", "new"), 9.0)


def failed(results: Results, side: int, **fields: Any) -> Results:
    cells = list(results.cells)
    cells[side] = replace(cells[side], status=CellStatus.FAILED, rounds=(), error="it crashed", **fields)
    return replace(results, cells=tuple(cells))


def test_the_verdict_of_the_run_is_the_answer() -> None:
    found = step(duel(1.1, confirm=20))
    assert (found.verdict, found.rounds, found.run) == (Verdict.SLOWER, 60, "new")
    assert found.why.startswith("new is ")
    assert step(duel(1.0)).verdict is Verdict.UNCHANGED


def test_a_candidate_that_fails_is_skipped_and_a_baseline_that_fails_is_nobodys_answer() -> None:
    both = duel(1.0, confirm=20)
    skipped = step(failed(both, 1, fault=Fault.RUNTIME))
    assert (skipped.verdict, "it crashed" in skipped.why) == (Verdict.INVALID, True)
    assert isinstance(step(failed(both, 0)), Failed)
    for fault in (Fault.NETWORK, Fault.FARM, Fault.DEVICE):
        assert isinstance(step(failed(both, 1, fault=fault)), Failed)
    assert step(failed(both, 1, fault=Fault.USER)).verdict is Verdict.INVALID


def test_a_run_that_was_lost_after_its_first_rounds_is_no_answer_though_it_has_times() -> None:
    screened = step(duel(1.1))
    assert screened.verdict is Verdict.INCONCLUSIVE
    for fault in (Fault.NETWORK, Fault.FARM, Fault.DEVICE):
        for side in (0, 1):
            both = duel(1.1)
            cells = list(both.cells)
            cells[side] = replace(cells[side], status=CellStatus.FAILED, error="gone", fault=fault)
            found = step(replace(both, cells=tuple(cells)))
            assert isinstance(found, Failed)
            assert "gone" in found.why


def test_a_run_that_its_budget_cut_says_so() -> None:
    both = replace(duel(1.03, confirm=6), sampling=Sampling(10, budget_s=400.0, fresh=256))
    pair = tuple(one.id for one in both.cells)
    whole = PhasePlan("arm-1", Phase.CONFIRM, (Allotment(pair, 256, 256, "asked for"),))
    short = PhasePlan("arm-1", Phase.CONFIRM, (Allotment(pair, 6, 256, "the budget"),))
    assert step(replace(both, phases=(whole,))).cut_after_s is None
    for phase in (short, replace(whole, cut="the budget was over")):
        assert step(replace(both, phases=(phase,))).cut_after_s == 400.0


def test_wrong_outputs_skip_a_candidate() -> None:
    both = duel(1.0, confirm=20)
    for side, kind in ((1, Step), (0, Failed)):
        check = OutputCheck(
            "arm-1", both.cells[side].id, Against.GOLDEN, "g", OutputVerdict.WRONG, "far too large"
        )
        found = step(replace(both, outputs=(check,)))
        assert isinstance(found, kind)
        assert "far too large" in found.why
    assert step(replace(both, outputs=(replace(check, cell=both.cells[1].id),))).has_wrong_outputs


def test_rounds_that_do_not_count_decide_nothing() -> None:
    busy = spoilt(spoilt(duel(1.1, confirm=20), 20, Quality.BUSY, Phase.CONFIRM), 10, Quality.BUSY)
    assert step(busy).verdict is Verdict.INCONCLUSIVE


def test_a_program_or_model_that_changed_meanwhile_is_named() -> None:
    names = ("v0", "v1", "v2", "v3")
    one = Step(QUESTION, Verdict.SLOWER, run="a", programs=("aa", "bb"), data=("m", None))
    assert changed((one,), one, names) is None
    assert changed((), one, names) is None
    assert "v3 has changed" in changed((one,), replace(one, programs=("aa", "cc")), names)
    assert "v0 has changed" in changed((one,), replace(one, programs=("xx", None)), names)
    assert "the model" in changed((one,), replace(one, data=("n", None)), names)
    assert changed((one,), Step(QUESTION, Verdict.INVALID), names) is None
