"""Tags and `farm runs gc`: what is asked to stay stays, and nothing else than what was shown goes."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import FarmError, RequestError, RunError
from farm.store.notes.tags import FOLDER, all_tags, remove_tag, set_tag, tagged
from farm.store.retention import expire
from farm.store.retention.expire import judged, remove, remove_leftovers
from farm.store.retention.rules import Rules, kept
from farm.store.runs import RunDirectory, find_run
from farm.store.sources import sources
from tests.unit.history.nights import keep, name_of, night

DAY_S = 86_400.0
NOW_S = datetime(2026, 2, 1, tzinfo=UTC).timestamp()


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Four nights with large files."""
    folder = tmp_path / "runs"
    for number in range(4):
        path = keep(folder, night(number))
        for name in ("cells/a/stdout.txt", "artifacts/x", "kept.jsonl", "journal.jsonl", "report.html"):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text("x" * 1000)
    return folder


def expired(runs: Path, rules: Rules, *, whole: bool = False) -> list[str]:
    found = judged(runs, sources(runs), rules, NOW_S, whole=whole)
    return [one.directory.run_id for one in found if one.is_expired]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_tag_is_a_run_wherever_a_run_is_asked_for(runs: Path) -> None:
    set_tag(runs, "release-1.13", name_of(2), "shipped")
    assert find_run(runs, "tag:release-1.13").run_id == name_of(2)
    assert tagged(runs, "release-1.13").note == "shipped"
    set_tag(runs, "release-1.13", name_of(2), "again")
    with pytest.raises(RequestError, match="is a tag of the run night-002") as caught:
        set_tag(runs, "release-1.13", name_of(3))
    assert "--move" in caught.value.hint
    set_tag(runs, "release-1.13", name_of(3), is_moved=True)
    assert find_run(runs, "tag:release-1.13").run_id == name_of(3)
    assert remove_tag(runs, "release-1.13").run == name_of(3)
    assert all_tags(runs) == ()


@pytest.mark.parametrize("name", ["", ".x", "a/b", "../x", "a b", "x" * 101, "ü", "a\n"])
def test_what_cannot_be_a_tag_is_refused_and_no_file_is_touched(runs: Path, name: str) -> None:
    before = files(runs)
    with pytest.raises(RequestError, match="invalid tag"):
        set_tag(runs, name, name_of(0))
    with pytest.raises(RequestError, match="no tag"):
        find_run(runs, f"tag:{name}")
    assert files(runs) == before


def test_an_unknown_tag_and_one_whose_run_is_gone_are_told_apart(runs: Path) -> None:
    set_tag(runs, "release-1", name_of(0))
    with pytest.raises(RequestError, match=r"no tag 'relase-1' .*did you mean release-1\?"):
        find_run(runs, "tag:relase-1")
    shutil.rmtree(runs / name_of(0))
    with pytest.raises(RequestError, match="the run night-000 of the tag release-1 is not in"):
        find_run(runs, "tag:release-1")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 2}', '{"version": 1}', "\udcff" * 3, "[" * 100_000]
)
def test_a_tag_that_cannot_be_read_is_named_and_nothing_expires(runs: Path, text: str) -> None:
    set_tag(runs, "good", name_of(0))
    (runs / FOLDER / "bad").write_bytes(os.fsencode(text))
    for attempt in (lambda: find_run(runs, "tag:bad"), lambda: expired(runs, Rules(last=1))):
        with pytest.raises(RequestError, match=r"the tag .*bad cannot be read") as caught:
            attempt()
        assert "--move" in caught.value.hint
    assert find_run(runs, "tag:good").run_id == name_of(0)
    set_tag(runs, "bad", name_of(1), is_moved=True)
    assert find_run(runs, "tag:bad").run_id == name_of(1)


def test_a_disk_that_refuses_a_tag_is_named(runs: Path) -> None:
    (runs / FOLDER).write_text("no folder")
    with pytest.raises(RunError, match="cannot write the tag"):
        set_tag(runs, "one", name_of(0))


def test_each_rule_keeps_the_newest_of_its_kind() -> None:
    days = [("a", 0.0), ("b", 0.1), ("c", 1.0), ("d", 8.0), ("e", 40.0), ("f", 40.5)]
    times = [(name, day * DAY_S) for name, day in days]
    now_s = 41 * DAY_S
    assert set(kept(times, Rules(last=2), now_s)) == {"e", "f"}
    assert set(kept(times, Rules(within_s=1.1 * DAY_S), now_s)) == {"e", "f"}
    assert set(kept(times, Rules(daily=9), now_s)) == {"b", "c", "d", "f"}
    assert set(kept(times, Rules(daily=2), now_s)) == {"d", "f"}
    assert set(kept(times, Rules(weekly=9), now_s)) == {"c", "d", "f"}
    assert kept(times, Rules(monthly=9), now_s) == {
        "f": "the newest of the month 1970-02",
        "d": "the newest of the month 1970-01",
    }


@given(
    st.lists(
        st.tuples(st.text(max_size=3), st.floats(-1e15, 1e15)), max_size=20, unique_by=lambda one: one[0]
    ),
    st.builds(Rules, *[st.integers(0, 5)] * 5),
)
def test_more_rules_never_keep_less_and_any_time_is_borne(times, rules: Rules) -> None:
    found = kept(times, rules, 0.0)
    more = kept(times, replace(rules, last=rules.last + 1, monthly=rules.monthly + 1), 0.0)
    assert set(found) <= set(more) <= {name for name, _ in times}


def test_of_an_expired_run_what_is_large_goes_and_its_results_stay(runs: Path) -> None:
    assert expired(runs, Rules(last=1)) == [name_of(0), name_of(1), name_of(2)]
    run = RunDirectory(runs / name_of(0))
    before = run.results()
    remove(run, whole=False)
    assert files(run.path) == {"run.json", "results.json", "report.html"}
    assert run.results() == before
    assert expired(runs, Rules(last=1)) == [name_of(1), name_of(2)]
    assert expired(runs, Rules(last=1), whole=True) == [name_of(0), name_of(1), name_of(2)]


def test_a_tagged_run_and_one_that_goes_on_never_expire(runs: Path) -> None:
    set_tag(runs, "release-1", name_of(0))
    with (runs / name_of(1) / "journal.jsonl").open("rb") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        assert expired(runs, Rules(last=1), whole=True) == [name_of(2)]
    assert expired(runs, Rules(last=1), whole=True) == [name_of(1), name_of(2)]


@pytest.mark.parametrize("damaged", [None, b"", b"{"])
def test_results_that_only_the_journal_has_are_written_before_it_goes(
    runs: Path, monkeypatch, damaged: bytes | None
) -> None:
    run = RunDirectory(runs / name_of(0))
    whole = replace(run.results(), losses=() if damaged is None else ("results.json is damaged",))
    (run.path / "results.json").unlink()
    if damaged is not None:
        (run.path / "results.json").write_bytes(damaged)
    monkeypatch.setattr(expire, "results_within_bounds", lambda _: whole)
    remove(run, whole=False)
    assert files(run.path) == {"run.json", "results.json", "report.html"}
    assert run.results() == whole


def test_a_run_that_cannot_be_read_keeps_its_journal(runs: Path) -> None:
    run = RunDirectory(runs / name_of(0))
    for name in ("results.json", "run.json"):
        (run.path / name).unlink()
    before = files(run.path)
    with pytest.raises(FarmError, match="its results cannot be read") as caught:
        remove(run, whole=False)
    assert "--whole" in caught.value.hint
    assert files(run.path) == before
    remove(run, whole=True)
    assert not run.path.exists()


def test_what_links_lead_to_is_never_removed(runs: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    shutil.rmtree(runs / name_of(0) / "cells")
    (runs / name_of(0) / "cells").symlink_to(elsewhere)
    (runs / name_of(1) / "artifacts" / "inside").symlink_to(elsewhere)
    for number in (0, 1):
        remove(RunDirectory(runs / name_of(number)), whole=False)
    shutil.copytree(runs / name_of(3), elsewhere / "run")
    (runs / name_of(9)).symlink_to(elsewhere / "run")
    found = judged(runs, sources(runs), Rules(within_s=1.0), NOW_S, whole=True)
    assert [one.reason for one in found if one.directory.run_id == name_of(9)] == ["a link to another place"]
    assert (elsewhere / "precious").read_text() == "x"


def test_what_a_killed_farm_had_begun_to_remove_is_removed_by_the_next(runs: Path, monkeypatch) -> None:
    def killed(_path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", killed)
        for number, whole in ((0, True), (1, False)):
            with pytest.raises(KeyboardInterrupt):
                remove(RunDirectory(runs / name_of(number)), whole=whole)
    assert not (runs / name_of(0)).exists()
    assert [one.key for one in sources(runs)] == [name_of(1), name_of(2), name_of(3)]
    remove_leftovers(runs)
    remove(RunDirectory(runs / name_of(1)), whole=False)
    assert not list(runs.rglob(".gone*"))
    assert files(runs / name_of(1)) == {"run.json", "results.json", "report.html"}


def test_a_tag_is_plain_json_for_other_tools(runs: Path) -> None:
    set_tag(runs, "one", name_of(0), "a\x1b[2Jb")
    found = json.loads((runs / FOLDER / "one").read_text())
    assert found == {"version": 1, "run": name_of(0), "at": found["at"], "note": "a<U+001B>[2Jb"}
