"""A plan with an earlier run, and the plan that confirms two of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from farm.compare.runs import compare_runs
from farm.errors import RequestError
from farm.model.artifact import Artifact
from farm.model.build import Build
from farm.model.comparison import Change, Comparing
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Model, Plan, RoundKind, Sampling
from farm.model.options import Variant
from farm.model.run import CellStatus, RoundResult, RoundStatus, RunStatus
from farm.options import parse
from farm.plan.baseline import Gone
from farm.plan.duels import with_canaries
from farm.run.measure import baseline, confirm
from farm.run.measure.baseline import Former, with_baseline
from farm.run.measure.confirm import Confirming, plan_of_confirmation
from farm.run.planned import Origin, planned_results
from farm.store.cache.kept import KeptStore
from farm.store.runs import RunDirectory
from tests.unit.plans import plan_of

DEVICE = Device("d", Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL))
NOTHING_KEPT = "nothing of it was kept"


def model(sha256: str = "0") -> Model:
    return Model("m", Artifact("m.mge", sha256 * 64, 10, Path("m.mge")))


def plan(*variants: str, of: Model | None = None, options: str = "") -> Plan:
    columns = [Variant(name, parse(options.split())) for name in variants]
    return plan_of([DEVICE], [of or model()], columns, rounds=6)


def run(folder: Path, made: Plan, run_id: str = "old", ms: float = 2.0) -> Former:
    """A run of a plan that is over, of which nothing was kept."""
    results = planned_results(run_id, made, Origin("1", (), ""))
    rounds = tuple(
        RoundResult(
            RoundKind.TIMED,
            index,
            RoundStatus.COMPLETED,
            e2e_ms=(ms,) * 10,
            value_ms=ms + 0.01 * index,
        )
        for index in range(6)
    )
    cells = tuple(replace(one, rounds=rounds, status=CellStatus.COMPLETED) for one in results.cells)
    directory = RunDirectory.create(folder, run_id)
    return Former(directory, replace(results, cells=cells, status=RunStatus.COMPLETED))


def kept(folder: Path) -> KeptStore:
    return KeptStore(folder / "kept")


def test_what_is_gone_of_a_baseline_is_a_skipped_cell_with_the_reason(tmp_path: Path) -> None:
    """And what it never had, too: its comparison stays open, instead of being left out."""
    former = run(tmp_path, plan("a"))
    made = with_baseline(plan("a", "b"), former, kept(tmp_path))
    assert [cell.id for cell in made.cells] == ["d/m/a", "d/m/b"]
    gone, never = made.skips
    assert (gone.id, never.id) == ("d/m/a@baseline", "d/m/b@baseline")
    assert gone.reason
    assert never.reason == "run old has no such cell"
    assert [(one.baseline, one.candidate, one.since) for one in made.duels] == [
        ("d/m/a@baseline", "d/m/a", "old"),
        ("d/m/b@baseline", "d/m/b", "old"),
    ]
    (earlier,) = made.earlier
    assert (earlier.cell, earlier.run, len(earlier.values_ms)) == ("d/m/a@baseline", "old", 6)
    assert dict(earlier.fingerprint)


def test_what_changed_is_the_model_or_the_options_or_else_the_build(tmp_path: Path) -> None:
    former = run(tmp_path, plan("a"))
    others = (plan("a"), plan("a", of=model("1")), plan("a", options="--iter 5"))
    found = [with_baseline(one, former, kept(tmp_path)).duels[0].change for one in others]
    assert found == [Change.BUILD, Change.MODEL, Change.VARIANT]


def test_a_baseline_without_a_common_cell_is_refused(tmp_path: Path) -> None:
    former = run(tmp_path, plan("a"))
    with pytest.raises(RequestError, match="no common cell") as caught:
        with_baseline(plan("b"), former, kept(tmp_path))
    assert caught.value.hint == "farm runs show old"


def test_a_canary_is_compared_with_itself_and_not_with_that_of_another_night(tmp_path: Path) -> None:
    former = run(tmp_path, with_canaries(plan("a")))
    made = with_baseline(with_canaries(plan("a")), former, kept(tmp_path))
    assert [(one.candidate, one.is_canary) for one in made.duels] == [
        ("d/m/a@canary", True),
        ("d/m/a", False),
    ]


def test_the_canary_of_another_night_does_not_hide_what_a_new_build_is_compared_with(tmp_path: Path) -> None:
    former = run(tmp_path, with_canaries(plan("a")))
    made = plan("a")
    new = replace(
        made, cells=tuple(replace(cell, build="new") for cell in made.cells), builds=(Build("new"),)
    )
    (duel,) = with_baseline(new, former, kept(tmp_path)).duels
    assert (duel.baseline, duel.candidate) == ("d/m/a@baseline", "d/m/a@new")


def two_runs(folder: Path) -> tuple[Former, Former]:
    return run(folder, plan("a", "b"), "old"), run(folder, plan("a", "b"), "new", ms=2.2)


HOW = Confirming(Sampling(10), Comparing(), 1)


def test_what_cannot_be_had_again_cannot_be_confirmed_and_says_why(tmp_path: Path) -> None:
    old, new = two_runs(tmp_path)
    compared = compare_runs(old.results, new.results, Comparing())
    with pytest.raises(RequestError, match="nothing can be confirmed of old and new: d/m/a of old") as caught:
        plan_of_confirmation(old, new, compared, [DEVICE], kept(tmp_path), HOW)
    assert "--baseline" in (caught.value.hint or "")


def test_two_runs_that_do_not_differ_have_nothing_to_confirm(tmp_path: Path) -> None:
    old, new = run(tmp_path, plan("a"), "old"), run(tmp_path, plan("a"), "new")
    compared = compare_runs(old.results, new.results, Comparing())
    with pytest.raises(RequestError, match="nothing to confirm"):
        plan_of_confirmation(old, new, compared, [DEVICE], kept(tmp_path), HOW)


def test_a_confirmation_measures_both_runs_bytes_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is left of one cell; the other's bytes are gone."""
    old, new = two_runs(tmp_path)
    compared = compare_runs(old.results, new.results, Comparing())

    def have(former: Former, wanted: tuple, *_: object) -> dict:
        there = {cell.id: cell for cell in plan("a", options="--profile p.json").cells}
        return {
            one.id: replace(there[one.id], build="baseline")
            if one.id in there
            else Gone(one.id, NOTHING_KEPT)
            for one in wanted
        }

    monkeypatch.setattr(confirm, "old_cells", have)
    made = plan_of_confirmation(old, new, compared, [DEVICE], kept(tmp_path), HOW)
    assert [cell.id for cell in made.cells] == ["d/m/a@baseline", "d/m/a"]
    assert {one.kind for cell in made.cells for one in cell.rounds} == {RoundKind.TIMED}
    assert [(one.baseline, one.candidate, one.since) for one in made.duels] == [
        ("d/m/a@baseline", "d/m/a", "old")
    ]
    assert [one.cell for one in made.earlier] == ["d/m/a@baseline", "d/m/a"]
    assert made.devices == (DEVICE,)
    assert baseline.old_name("new") == "baseline-new"
