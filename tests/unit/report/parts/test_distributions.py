"""Times of iterations in the details of a cell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from farm.compare.duels import comparisons
from farm.model.comparison import Change, Duel
from farm.model.run import CellResult, Results
from farm.report.compose import compose
from farm.report.figures.view import Distribution
from farm.report.parts.details import distributions as parts
from farm.report.parts.details.distributions import distributions, iterations_ms
from farm.report.render import render
from tests.data.results import make

ONE, OTHER = "local/shufflenet_v2/fp32", "local/shufflenet_v2/4 threads"


def figure(results: Results, cell: str) -> Distribution:
    found: Distribution = distributions(results).cells[cell]["distribution"]
    return found


def compared() -> Results:
    made = replace(make.small(), duels=(Duel(ONE, OTHER, Change.VARIANT),))
    return replace(made, comparisons=comparisons(made))


def without_times(cell: CellResult) -> CellResult:
    return replace(cell, rounds=tuple(replace(one, e2e_ms=()) for one in cell.rounds))


def test_the_iterations_of_a_cell_stand_beside_those_of_its_baseline() -> None:
    results = compared()
    assert [side.name for side in figure(results, OTHER).sides] == ["fp32", "4 threads"]
    assert [side.name for side in figure(results, ONE).sides] == ["fp32"]
    assert "60 values" in figure(results, ONE).text
    assert render(compose(results)).count("distribution-figure") >= 2


def test_a_cell_whose_baseline_has_no_times_is_shown_alone_and_one_without_times_not_at_all() -> None:
    results = compared()
    results = replace(results, cells=(without_times(results.cells[0]), results.cells[1]))
    assert [side.name for side in figure(results, OTHER).sides] == ["4 threads"]
    assert distributions(results).cells.get(ONE) is None


def test_of_very_many_iterations_every_second_or_third_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = make.small().cells[0]
    times = iterations_ms(cell)
    monkeypatch.setattr(parts, "MOST_ITERATIONS", 25)
    assert iterations_ms(cell) == times[::3]
