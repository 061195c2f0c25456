"""What a release comes to: the verdicts of its runs, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from farm.compare import outcome
from farm.compare.outcome import Decision
from farm.errors import ExitCode
from farm.model.comparison import Comparing, Verdict
from farm.model.outputs import Against, OutputVerdict
from farm.model.run import RunStatus
from farm.release.decide import decide, groups
from farm.release.nouns import RunFacts
from farm.release.summary import summary
from farm.release.versions import choose
from tests.data.results import make
from tests.unit.compare.made import cell, run
from tests.unit.release.made import compared, facts, judged, lease, release, wrong


def test_a_release_of_one_run_says_what_the_run_says() -> None:
    results = compared()
    made = release(results)
    assert made.last.decision is outcome.decision(results)
    assert made.last.counts == outcome.counts(results.comparisons)
    assert made.last.canaries == outcome.canaries(results.comparisons)
    ranked = [(one.candidate.device, one.candidate.model, one.verdict) for _, one in made.last.ranked()]
    assert ranked == [
        (one.device, one.candidate.split("/")[1], one.verdict) for one in outcome.ranked(results.comparisons)
    ]


@pytest.mark.parametrize(
    ("factor", "confirm", "decision"),
    [
        (1.0, 0, Decision.GO),
        (1.08, 12, Decision.NO_GO),
        (0.9, 12, Decision.GO),
        (1.08, 0, Decision.UNDECIDED),
    ],
)
def test_devices_of_several_runs_are_one_release(factor: float, confirm: int, decision: Decision) -> None:
    made = release(
        lease("lab-a", {"old": 1, "new": 1}, ["arm-1", "arm-2"]),
        lease("lab-b", {"old": 1, "new": factor}, ["x86-1"], confirm=confirm),
    )
    assert len(made.last.cells) == 3
    assert made.last.decision is decision


def test_as_many_may_be_undecided_as_the_runs_allow_together_or_as_the_user_says() -> None:
    results = [
        replace(lease(name, {"old": 1, "new": 1.08}, [name], confirm=0), comparing=Comparing(max_undecided=1))
        for name in ("arm-1", "arm-2")
    ]
    assert release(*results).last.counts[Verdict.INCONCLUSIVE] == 2
    assert release(*results).last.decision is Decision.GO
    assert release(*results, max_undecided=1).last.decision is Decision.UNDECIDED


def test_measuring_again_does_not_undo_a_confirmed_regression() -> None:
    slower, same = lease("first", {"old": 1, "new": 1.1}), lease("again", {"old": 1, "new": 1}, hour=12)
    for order in ((slower, same), (same, slower)):
        made = release(*order)
        assert made.last.decision is Decision.NO_GO
        [(key, ones)] = made.last.again
        assert key.text == "arm-1/m/fp32"
        assert {one.verdict for one in ones} == {Verdict.SLOWER, Verdict.UNCHANGED}


def test_what_one_run_left_open_another_one_decides() -> None:
    still_open = lease("first", {"old": 1, "new": 1.08}, confirm=0)
    made = release(lease("again", {"old": 1, "new": 1}), still_open)
    assert made.last.counts[Verdict.UNCHANGED] == 1
    assert made.last.decision is Decision.GO


def test_wrong_outputs_of_the_newest_version_decide_and_those_of_another_are_told() -> None:
    fine = lease("a", {"old": 1, "new": 1})
    bad = release(wrong(fine, "arm-1/m/fp32@new"))
    assert bad.last.code is ExitCode.REGRESSION
    assert "1 cell with wrong outputs" in summary(bad)[0]
    before = release(wrong(fine, "arm-1/m/fp32@old"))
    assert before.last.decision is Decision.GO
    assert [one.named.build for one in before.wrong] == ["old"]


def test_outputs_that_somebody_asked_for_and_nobody_could_compare_leave_it_undecided() -> None:
    checked = wrong(lease("a", {"old": 1, "new": 1}), "arm-1/m/fp32@new")
    unknown = replace(checked.outputs[0], verdict=OutputVerdict.NOT_COMPARABLE, against=Against.GOLDEN)
    made = release(replace(checked, outputs=(unknown,)))
    assert made.last.decision is Decision.UNDECIDED
    assert made.wrong[0].is_unknown


def test_a_middle_version_that_was_slower_does_not_stop_the_newest_one() -> None:
    made = release(lease("a", {"1": 1, "2": 1.1, "3": 1}))
    assert [column.decision for column in made.columns] == [Decision.NO_GO, Decision.GO]


def test_a_run_that_cannot_be_read_is_a_finding_and_leaves_it_undecided() -> None:
    runs = [*facts(lease("a", {"old": 1, "new": 1})), RunFacts(1, "cut", Path("cut"), problem="not JSON")]
    made = decide(runs, choose(runs, (), {}), {})
    assert made.last.decision is Decision.UNDECIDED
    assert "run cut cannot be read: not JSON" in made.findings
    worse = [*facts(lease("a", {"old": 1, "new": 1.1})), runs[1]]
    assert decide(worse, choose(worse, (), {}), {}).last.decision is Decision.NO_GO


def test_a_run_that_was_interrupted_is_told_and_what_it_lacks_is_undecided() -> None:
    whole = lease("a", {"old": 1, "new": 1})
    cut = judged(replace(whole, status=RunStatus.INTERRUPTED, cells=(whole.cells[0],)))
    made = release(lease("b", {"old": 1, "new": 1}, ["arm-9"]), cut)
    assert made.last.decision is Decision.UNDECIDED
    assert "run a: it was interrupted" in made.findings
    assert any("name cells that it does not have" in text for text in made.findings)


def test_canaries_of_all_runs_are_counted_together() -> None:
    made = release(compared(), replace(compared(), run_id="again"))
    assert (made.last.canaries.total, made.last.canaries.changed) == (4, 0)


def test_what_is_not_shown_is_told() -> None:
    other = lease("b", {"x": 1, "y": 1})
    made = release(lease("a", {"old": 1, "new": 1}), other, asked=("old", "new"))
    assert "run b has no comparison of these versions" in made.findings
    assert any("1 comparisons of the builds x and y" in text for text in made.findings)


def test_coverage_counts_each_cell_of_the_newest_version_once_and_no_canary() -> None:
    made = release(compared())
    assert (made.last.compared, made.last.total) == (4, 6)


def test_groups_come_with_the_worst_first_and_invalid_ratios_do_not_count() -> None:
    made = release(lease("a", {"old": 1, "new": 1}, ["arm-2"]), lease("b", {"old": 1, "new": 1.1}, ["arm-1"]))
    found = groups(made.last, {key: key.device for key in made.last.cells}, "model")
    assert [one.name for one in found] == ["arm-1", "arm-2"]
    assert found[0].mean.ratio == pytest.approx(1.1, rel=0.01)
    bad = wrong(lease("a", {"old": 1, "new": 1.1}), "arm-1/m/fp32@new")
    column = release(judged(bad)).last
    assert groups(column, {key: key.device for key in column.cells}, "model")[0].mean is None


def test_no_name_and_no_number_of_a_file_raises() -> None:
    for results in (make.hostile(), make.empty(), run(cell(device="a\u202eb\x00", build="\ud800"))):
        [one] = facts(results)
        assert one.problem is None
        assert "\u202e" not in "".join(map(str, one.cells))
