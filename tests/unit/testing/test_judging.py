"""What a run with a baseline means for a test, and the words in which it is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from farm.model.comparison import Verdict
from farm.model.outputs import Against, OutputCheck, OutputVerdict
from farm.model.run import CellStatus, Results
from farm.testing.judging import MOST_LINES, Outcome, judged, unmeasured
from tests.data.results import make


@pytest.fixture(scope="module")
def compared() -> Results:
    """All that it has completed."""
    made = make.compared()
    cells = tuple(cell for cell in made.cells if cell.status is CellStatus.COMPLETED)
    return replace(made, cells=cells)


def with_verdicts(results: Results, *verdicts: Verdict) -> Results:
    return replace(results, comparisons=tuple(one for one in results.comparisons if one.verdict in verdicts))


def test_a_cell_that_is_slower_fails_with_its_sentence(compared: Results) -> None:
    outcome, text = judged(compared)
    slower = [one for one in compared.comparisons if one.verdict is Verdict.SLOWER]
    assert outcome is Outcome.SLOWER
    assert text.splitlines() == [
        "slower, or wrong outputs:",
        *(f"  \N{BLACK UP-POINTING TRIANGLE} {one.candidate}: {one.sentence}" for one in slower),
    ]


def test_wrong_outputs_are_named_before_times(compared: Results) -> None:
    wrong = OutputCheck("arm-1", "arm-1/m/v", Against.GOLDEN, "g", OutputVerdict.WRONG, "y \x1b differs")
    outcome, text = judged(replace(compared, outputs=(wrong,)))
    assert outcome is Outcome.SLOWER
    assert text.splitlines()[1] == "  arm-1/m/v: wrong outputs: y <U+001B> differs"


def test_what_is_faster_or_unchanged_is_not_slower(compared: Results) -> None:
    good = with_verdicts(compared, Verdict.FASTER, Verdict.UNCHANGED)
    assert good.comparisons
    assert judged(good)[0] is Outcome.NOT_SLOWER


def test_what_is_undecided_says_how_many_rounds_would_decide_it(compared: Results) -> None:
    left = with_verdicts(compared, Verdict.INCONCLUSIVE, Verdict.UNCHANGED)
    one = next(one for one in left.comparisons if one.verdict is Verdict.INCONCLUSIVE)
    outcome, text = judged(
        replace(left, comparisons=(replace(one, pairs_wanted=30), replace(one, pairs_wanted=84)))
    )
    assert outcome is Outcome.UNDECIDED
    assert text.endswith("  more rounds would decide: rounds=84")
    assert judged(replace(left, comparisons=(replace(one, pairs_wanted=None),)))[1].count("\n") == 1


def test_outputs_that_could_not_be_compared_and_odd_canaries_are_undecided(compared: Results) -> None:
    unknown = OutputCheck("arm-1", "arm-1/m/v", Against.GOLDEN, "g", OutputVerdict.NOT_COMPARABLE, "no file")
    twin = replace(compared.comparisons[0], is_canary=True, verdict=Verdict.SLOWER)
    outcome, text = judged(replace(compared, outputs=(unknown,), comparisons=(twin,) * 3))
    assert outcome is Outcome.UNDECIDED
    assert text.splitlines()[1:] == [
        "  arm-1/m/v: outputs: no file", "  canaries: 3 of 3 cells differed from themselves",
    ]  # fmt: skip


def test_cells_that_failed_are_named_with_what_to_type() -> None:
    outcome, text = judged(replace(make.lab(), comparisons=()))
    assert outcome is Outcome.FAILED
    assert "; try: farm devices check arm-3" in text
    assert len(text.splitlines()) <= MOST_LINES + 2
    assert unmeasured(make.lab()) is not None
    assert unmeasured(replace(make.lab(), cells=())) is not None


def test_a_run_whose_cells_all_have_times_can_be_a_baseline(compared: Results) -> None:
    assert unmeasured(replace(compared, losses=())) is None


@pytest.mark.parametrize("name", make.EXAMPLES)
def test_every_run_is_judged_in_few_lines(name: str) -> None:
    outcome, text = judged(make.EXAMPLES[name]())
    assert text.startswith(f"{outcome}:")
    assert len(text.splitlines()) <= MOST_LINES + 2
    assert (outcome is Outcome.NOT_SLOWER) == (len(text.splitlines()) == 1)
