"""What the profiles and the memory plans of a run say in its report."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from farm.model.artifact import Produced
from farm.report.compose import compose
from farm.report.parts import operators as report_operators
from farm.report.parts.operators import operators
from farm.report.render import render
from farm.report.views.operators import Operators
from farm.report.write import more_of
from farm.store.runs import RunDirectory, find_run
from tests.unit.cli.test_profiles import DATA, keep, slower


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(DATA, "p.json")


def night(*variants: tuple[str, tuple[str, ...]]) -> RunDirectory:
    keep(*variants)
    return find_run(Path("runs"), "night")


def found(directory: RunDirectory, variant: str) -> Operators:
    more = operators(directory, directory.results())
    shown: Operators = more.cells[f"arm-1/m/{variant}"]["operators"]
    return shown


def test_a_planted_slow_operator_is_the_first_bar_of_the_waterfall_of_its_cell() -> None:
    directory = night(("old", ("a.json",)), ("new", ("b.json",)))
    slower(directory.path / "b.json", by_ms=1.8)
    shown = found(directory, "new")
    assert shown.against == "old"
    steps = shown.waterfall.steps
    assert [(steps[0].name, steps[-1].name)] == [("before", "after")]
    assert (steps[1].name, steps[1].side) == ("second.Convolution", "slower")
    assert steps[1].value.startswith("+1.8")
    assert shown.rows[0].name == "second.Convolution"
    assert found(directory, "old").waterfall is None
    html = render(compose(directory.results(), operators(directory, directory.results())))
    assert "Against old." in html
    assert html.count("waterfall-figure") >= 1


def test_a_profile_that_is_gone_or_damaged_is_told_in_its_cell_and_the_others_are_there() -> None:
    directory = night(("old", ("a.json",)), ("new", ("b.json",)), ("third", ("c.json",)))
    (directory.path / "a.json").unlink()
    (directory.path / "b.json").write_text('{"profiler": ')
    assert "is missing" in found(directory, "old").problems[0]
    assert found(directory, "new").problems
    assert found(directory, "third").rows
    html = render(compose(directory.results(), operators(directory, directory.results())))
    assert "is missing" in html


def test_profiles_that_are_too_large_together_are_left_to_their_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory = night(("old", ("a.json",)), ("new one", ("b.json",)))
    monkeypatch.setattr(report_operators, "MOST_BYTES", DATA.stat().st_size + 1)
    assert found(directory, "old").rows
    shown = found(directory, "new one")
    assert shown.problems == ("too large for a report: farm profiles show night 'arm-1/m/new one'",)
    assert not shown.rows


def test_names_of_operators_stay_text() -> None:
    directory = night(("old", ("a.json",)), ("new", ("b.json",)))
    slower(directory.path / "b.json", name="<script>alert(1)</script>" + "x" * 100_000)
    html = render(compose(directory.results(), operators(directory, directory.results())))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert len(html) < 1_000_000


def test_a_run_without_profiles_has_no_such_section() -> None:
    directory = night(("old", ()))
    assert operators(directory, directory.results()).cells == {}


def test_the_planned_memory_of_a_cell_is_drawn_and_a_damaged_plan_costs_nothing_else() -> None:
    directory = night(("old", ()))
    plan = Produced("static-mem-info", "cells/StaticMemoryInfo.json", "ab" * 32, 1)
    results = directory.results()
    (one,) = results.cells
    cell = replace(one, rounds=(replace(one.rounds[0], artifacts=(plan,)), *one.rounds[1:]))
    results = replace(results, cells=(cell,))
    (directory.path / "cells").mkdir()
    shutil.copyfile(DATA.parent / "StaticMemoryInfo.json", directory.path / plan.path)
    html = render(compose(results, more_of(directory, results)))
    assert "Planned memory" in html
    (directory.path / plan.path).write_text("[")
    html = render(compose(results, more_of(directory, results)))
    assert "Planned memory" not in html
    assert "StaticMemoryInfo.json" in html
