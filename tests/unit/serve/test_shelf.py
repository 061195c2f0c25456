"""The list of runs and what is read of each: whatever is in the folder."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from farm.model.journal import CellEnded, RoundEnded, RunEnded
from farm.model.run import CellStatus, RunStatus
from farm.serve import follow
from farm.serve import shelf as shelf_module
from farm.serve.render import run_page, shelf_page
from farm.serve.shelf import Shelf
from farm.store.codec import results_to_json
from farm.store.journal import JOURNAL, line_of
from farm.store.runs import RunDirectory
from farm.store.tail import Tail
from tests.data.results import make
from tests.unit.store.test_journal import events_of, planned


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


def over(runs: Path, name: str, number: int = 0) -> Path:
    folder = runs / name
    folder.mkdir()
    made = replace(
        make.small(), run_id=name, started_at=f"2026-11-23T02:{number // 60:02d}:{number % 60:02d}+00:00"
    )
    (folder / "results.json").write_bytes(results_to_json(made))
    os.utime(folder / "results.json", (number, number))
    return folder


def test_a_run_grows_with_its_journal_and_is_over_with_its_writer(runs: Path) -> None:
    whole = make.small()
    shelf = Shelf(runs)
    assert shelf.look().running == ()
    file = RunDirectory.create(runs, "r").begin(planned(whole))
    (run,) = shelf.look().running
    assert (run.run_id, run.status, {cell.state for cell in run.cells}) == ("r", "running", {"waiting"})
    rounds = [event for event in events_of(whole) if isinstance(event, RoundEnded)]
    file.append(line_of(rounds[0]))
    (run,) = shelf.look().running
    assert (run.cells[0].rounds, run.cells[0].planned) == (1, whole.rounds)
    assert run.cells[0].median_ms == rounds[0].round.value_ms
    assert (run.devices[0].done, run.devices[0].total) == (1, whole.rounds * len(whole.cells))
    for event in rounds[1:]:
        file.append(line_of(event))
    now = shelf.run("r")
    assert now is not None
    assert [cell.median_ms for cell in now.cells] == [cell.summary.median_ms for cell in whole.cells]
    file.append(line_of(RunEnded(status=RunStatus.COMPLETED, ended_at="2026-11-23T03:00:00+00:00")))
    file.close()
    looked = shelf.look()
    assert looked.running == ()
    assert [(one.run_id, one.status) for one in looked.others] == [("r", "completed")]


def test_a_run_whose_process_was_killed_is_interrupted_and_its_journal_not_read_again(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunDirectory.create(runs, "r").begin(planned()).close()
    shelf = Shelf(runs)
    assert [one.status for one in shelf.look().others] == ["interrupted"]
    monkeypatch.setattr(Tail, "read", None)
    assert [one.status for one in shelf.look().others] == ["interrupted"]


def test_a_failure_is_told_with_its_cause_and_what_to_do(runs: Path) -> None:
    file = RunDirectory.create(runs, "r").begin(planned())
    cell = make.small().cells[0].id
    file.append(line_of(CellEnded(cell=cell, status=CellStatus.FAILED, error="no memory", hint="buy some")))
    now = Shelf(runs).run("r")
    file.close()
    assert now is not None
    assert (now.cells[0].state, now.cells[0].why, now.cells[0].hint) == ("failed", "no memory", "buy some")
    assert now.told[0].text.endswith("no memory; try: buy some")
    assert "buy some" in run_page(now).parts["cells"]["c0"]


def test_200_runs_are_listed_the_newest_first_and_each_is_read_once(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        over(runs, f"run-{number}", number)
    shelf = Shelf(runs)
    looks = 0
    while any(one.status is None for one in shelf.look().others):
        looks += 1
        assert looks < 1000
    monkeypatch.setattr(shelf_module, "results_within_bounds", None)
    looked = shelf.look()
    assert [one.run_id for one in looked.others] == [f"run-{number}" for number in reversed(range(200))]
    assert {one.status for one in looked.others} == {"completed"}
    assert len(shelf_page(looked).parts["others"]) == 200


def test_more_runs_than_are_shown_are_counted(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_module, "MOST_SHOWN", 3)
    for number in range(5):
        over(runs, f"run-{number}", number)
    looked = Shelf(runs).look()
    assert ([one.run_id for one in looked.others], looked.older) == (["run-4", "run-3", "run-2"], 2)


def test_links_out_of_the_folder_are_left_out(runs: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    over(elsewhere, "secret")
    (runs / "link").symlink_to(elsewhere / "secret")
    inside = runs / "inside"
    inside.mkdir()
    (inside / "results.json").symlink_to(elsewhere / "secret" / "results.json")
    shelf = Shelf(runs)
    looked = shelf.look()
    assert (looked.others, looked.running, looked.links) == ((), (), 1)
    assert shelf.run("link") is None
    assert shelf.run("inside") is None
    for name in ("..", ".", "", "a/b", "../elsewhere/secret", "x" * 5000, "a\0b"):
        assert shelf.run(name) is None


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"[]", b'{"schema_version": 99}', b"[" * 100_000])
def test_a_run_that_cannot_be_read_is_shown_as_such(runs: Path, data: bytes) -> None:
    folder = over(runs, "broken")
    (folder / "results.json").write_bytes(data)
    RunDirectory.create(runs, "plan").begin(planned()).close()
    (runs / "plan" / "run.json").write_bytes(data)
    looked = Shelf(runs).look()
    assert {one.run_id: one.status for one in looked.others} == {"broken": "unreadable", "plan": "unreadable"}
    assert all(one.problem for one in looked.others)
    shelf_page(looked)


def test_what_is_too_big_is_not_read(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over(runs, "big")
    monkeypatch.setattr(shelf_module, "MOST_RESULTS_BYTES", 10)
    monkeypatch.setattr(follow, "MOST_PLAN_BYTES", 10)
    RunDirectory.create(runs, "plan").begin(planned()).close()
    looked = Shelf(runs).look()
    assert all("more than" in (one.problem or "") for one in looked.others)
    assert len(looked.others) == 2


def test_rounds_beyond_the_bound_are_counted_only(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "MOST_ROUNDS", 3)
    file = RunDirectory.create(runs, "r").begin(planned())
    rounds = [event for event in events_of(make.small()) if isinstance(event, RoundEnded)]
    for event in rounds:
        file.append(line_of(event))
    now = Shelf(runs).run("r")
    file.close()
    assert now is not None
    assert now.more_rounds == len(rounds) - 3
    assert sum(cell.rounds for cell in now.cells) == 3


def test_hostile_names_and_numbers_that_are_none_make_a_page_with_no_markup_of_theirs(runs: Path) -> None:
    whole = make.hostile()
    file = RunDirectory.create(runs, "r").begin(planned(whole))
    for event in events_of(whole):
        if isinstance(event, RoundEnded):
            odd = replace(event.round, wall_s=1e308, value_ms=1e308, started_at="9999-12-31T23:59:59+00:00")
            file.append(line_of(replace(event, round=odd)))
        file.append(line_of(event))
    shelf = Shelf(runs)
    now = shelf.run("r")
    assert now is not None
    assert now.problem is None
    for page in (run_page(now), shelf_page(shelf.look())):
        text = "".join(html for part in page.parts.values() for html in part.values())
        assert "<script" not in text
        assert "<img" not in text
        text.encode()
    file.close()
    assert (runs / "r" / JOURNAL).is_file()


def test_many_interrupted_runs_are_read_in_several_looks(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        RunDirectory.create(runs, name).begin(planned()).close()
    shelf = Shelf(runs)
    monkeypatch.setattr(shelf_module, "FOLLOW_S", 0.0)
    assert {one.status for one in shelf.look().others} == {None}
    monkeypatch.setattr(shelf_module, "FOLLOW_S", 2.0)
    assert {one.status for one in shelf.look().others} == {"interrupted"}


def test_a_device_with_a_slash_in_its_name_is_told_with_its_model(runs: Path) -> None:
    whole = make.small()
    odd = replace(
        whole,
        devices=tuple(replace(one, name="a/b") for one in whole.devices),
        cells=tuple(replace(cell, device="a/b") for cell in whole.cells),
    )
    file = RunDirectory.create(runs, "r").begin(planned(odd))
    file.append(line_of(events_of(odd)[0]))
    now = Shelf(runs).run("r")
    file.close()
    assert now is not None
    assert now.devices[0].last == "timed-1 of shufflenet_v2/fp32"
