"""Runs that are compared with each other for a release."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from farm.compare.outcome import Decision
from farm.errors import RunError
from farm.model.build import CANARY
from farm.model.comparison import Change, Duel
from farm.model.matrix import RoundKind
from farm.model.outputs import Against, OutputCheck, OutputVerdict
from farm.model.run import RoundResult, RoundStatus
from farm.release.decide import decide
from farm.release.read import compare_all, directories, read_all
from farm.release.versions import choose
from tests.unit.release.made import keep, night


def quiet(*_) -> None:
    """Progress that nobody wants to see."""


def checked(name: str, hour: int):
    made = night(name, hour=hour)
    check = RoundResult(RoundKind.CHECK, 0, RoundStatus.COMPLETED)
    return replace(made, cells=tuple(replace(one, rounds=(*one.rounds, check)) for one in made.cells))


def released(runs: Path, outputs):
    found, _ = directories(runs, ["a", "b"])
    read = read_all(found, quiet)
    versions = choose(read, (), {})
    return decide(read, versions, compare_all(found, read, versions, outputs, quiet))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    keep(checked("a", 1), tmp_path)
    keep(checked("b", 2), tmp_path)
    return tmp_path


def test_outputs_of_two_runs_are_compared_as_farm_compare_does_and_wrong_ones_are_no_go(runs: Path) -> None:
    def outputs(old, new, two):
        assert (old.run_id, new.run_id, len(two.comparisons)) == ("a", "b", 1)
        return [
            OutputCheck(
                "arm-1", "arm-1/m/fp32", Against.BASELINE, "arm-1/m/fp32", OutputVerdict.WRONG, "differs"
            )
        ]

    made = released(runs, outputs)
    assert made.last.decision is Decision.NO_GO
    assert made.wrong[0].named.device == "arm-1"
    assert released(runs, lambda *_: ()).last.decision is Decision.GO


def test_outputs_that_cannot_be_read_leave_it_undecided(runs: Path) -> None:
    def outputs(*_):
        raise RunError("cannot read the tensors")

    made = released(runs, outputs)
    assert made.last.decision is Decision.UNDECIDED
    assert made.findings == ("outputs of runs a and b cannot be compared: cannot read the tensors",)


def test_a_run_that_is_damaged_while_it_is_read_is_a_finding(runs: Path) -> None:
    found, _ = directories(runs, ["a", "b"])
    read = read_all(found, quiet)
    versions = choose(read, (), {})
    for name, number in (("b", 1), ("a", 0)):
        (runs / name / "results.json").write_text("{")
        between = compare_all(found, read, versions, lambda *_: (), quiet)
        made = decide(read, versions, between)
        assert made.last.decision is Decision.UNDECIDED
        assert any(f"run {read[number].run_id} cannot be read" in text for text in made.findings) or any(
            "cannot be compared" in text for text in made.findings
        )


def test_a_canary_of_the_newer_run_is_no_cell_without_a_baseline(runs: Path) -> None:
    made = night("b", hour=2)
    twin = replace(made.cells[0], build=CANARY)
    duel = Duel(made.cells[0].id, twin.id, Change.NOTHING, is_canary=True)
    shutil.rmtree(runs / "b")
    keep(replace(made, cells=(*made.cells, twin), duels=(duel,)), runs)
    column = released(runs, lambda *_: ()).last
    assert (column.total, column.missing, column.decision) == (1, 0, Decision.GO)


def test_a_file_that_says_it_is_another_run_keeps_the_name_of_its_folder(runs: Path) -> None:
    (runs / "b" / "results.json").write_bytes((runs / "a" / "results.json").read_bytes())
    made = released(runs, lambda *_: ())
    assert [run.run_id for run in made.runs] == ["a", "b"]
    assert any("its results say that they are of run a" in text for text in made.findings)
