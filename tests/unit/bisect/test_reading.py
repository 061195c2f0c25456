"""From results to a step: who is to blame for what is not measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from farm.bisect.nouns import Part, Question, Step
from farm.bisect.reading import Failed, changed, step_of
from farm.compare.duels import comparisons
from farm.errors import Fault
from farm.model.comparison import Phase, Verdict
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
    for fault in (Fault.NETWORK, Fault.FARM):
        assert isinstance(step(failed(both, 1, fault=fault)), Failed)


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
