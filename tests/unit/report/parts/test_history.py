"""The section `history`: the run's cells over the runs before it, where there is a database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from farm.history.index import update
from farm.history.place import FILE
from farm.report.compose import compose
from farm.report.parts import history as parts
from farm.report.parts.history import histories
from farm.report.render import render
from farm.report.views.history import HistoryView
from farm.store.runs import RunDirectory
from farm.store.sources import sources
from tests.unit.history.nights import keep, name_of, night
from tests.unit.report.test_render import OUR_ELEMENTS, Page

OTHER = {"runtime_digest": "d" * 64}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Thirty nights, of which the last ten are slower, with another build."""
    monkeypatch.delenv("FARM_DATABASE", raising=False)
    for number in range(30):
        keep(
            tmp_path,
            night(number, lambda at: 1.2 if at >= 20 else 1.0, context=OTHER if number >= 20 else {}),
        )
    index(tmp_path)
    return tmp_path


def index(runs: Path) -> None:
    update(str(runs / FILE), runs, sources(runs), lambda *_: None)


def section(runs: Path, number: int) -> HistoryView | None:
    run = RunDirectory(runs / name_of(number))
    return histories(run, run.results()).run.get("history")


def test_a_cell_has_its_line_its_last_change_and_what_is_known_of_it(runs: Path) -> None:
    [row] = section(runs, 29).rows
    assert (row.cell, row.runs, row.mark.key, row.mark.word) == (
        "local/shufflenet_v2/fp32", "30 runs", "slower", "changed",
    )  # fmt: skip
    assert row.change.endswith(f"since {name_of(20)} (2026-01-21): another build")
    assert row.told == (f"runtime's files: {'b' * 12} and {'d' * 12}",)
    assert len(row.line.changes) == 1


def test_a_report_that_is_made_again_says_what_it_said(runs: Path) -> None:
    [row] = section(runs, 15).rows
    assert (row.runs, row.mark.word, row.change) == ("16 runs", "no change", "")


def test_a_run_that_is_not_in_the_database_yet_is_its_own_newest_point(runs: Path) -> None:
    keep(runs, night(30, lambda _: 1.8, context=OTHER))
    [row] = section(runs, 30).rows
    assert (row.runs, row.mark.word) == ("31 runs", "off its level")
    assert row.change.startswith("this run is +")
    assert "off the level before it; before that +" in row.change
    before = row
    index(runs)
    assert section(runs, 30).rows == (before,)


def test_too_few_runs_or_no_database_are_no_section(runs: Path) -> None:
    assert section(runs, 2) is None
    (runs / FILE).unlink()
    assert section(runs, 29) is None
    assert not (runs / FILE).exists()


def test_a_database_that_cannot_be_read_costs_no_report(runs: Path) -> None:
    (runs / FILE).write_text("no database, though it is long enough to be looked at")
    found = section(runs, 29)
    assert "file is not a database" in found.problem
    run = RunDirectory(runs / name_of(29))
    results = run.results()
    assert found.problem in Page(render(compose(results, histories(run, results)))).text


def test_of_very_many_cells_those_that_changed_last_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MOST_ROWS", 2)
    for number in range(12):
        made = night(number)
        cells = [replace(made.cells[0], variant=f"v{at}") for at in range(4)]
        slower = night(number, lambda _: 1.5).cells[0]
        for at, since in ((1, 6), (3, 9)):
            if number >= since:
                cells[at] = replace(slower, variant=f"v{at}")
        keep(tmp_path, replace(made, cells=tuple(cells)))
    index(tmp_path)
    found = section(tmp_path, 11)
    assert [row.cell.rpartition("/")[2] for row in found.rows] == ["v3", "v1"]
    assert found.left_out == 2


def test_names_of_a_hostile_device_stay_text(tmp_path: Path) -> None:
    for number in range(6):
        made = night(number)
        cell = replace(made.cells[0], device="<script>alert(1)</script>\x1b[2J", model_sha256=None)
        keep(tmp_path, replace(made, cells=(cell,)))
    index(tmp_path)
    run = RunDirectory(tmp_path / name_of(5))
    results = run.results()
    page = Page(render(compose(results, histories(run, results))))
    assert {tag for tag, _ in page.elements} <= OUR_ELEMENTS
    assert "<script>alert(1)" in page.text
