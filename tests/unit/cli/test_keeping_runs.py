"""`farm runs tag` and `farm runs gc`: what they print, what they change, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from farm.cli.history import gc
from farm.errors import ExitCode
from farm.store.retention import expire
from tests.unit.cli.test_history import Farm, farm  # noqa: F401 - a fixture
from tests.unit.history.nights import name_of


def large(number: int) -> Path:
    """A log of a run, of 5 kB."""
    path = Path("runs") / name_of(number) / "cells" / "stdout.txt"
    path.parent.mkdir()
    path.write_text("x" * 5000)
    return path


def test_a_tag_is_given_shown_used_and_taken_away(farm: Farm) -> None:  # noqa: F811
    assert farm("runs", "tag")[1] == "no tags in runs; type: farm runs tag RUN NAME\n"
    assert farm("runs", "tag", "latest", "release-1", "--note", "shipped")[1] == (
        f"tag:release-1 is the run {name_of(29)}\n"
    )
    listed = farm("runs", "tag")[1]
    assert listed.splitlines()[1].split()[:2] == ["release-1", name_of(29)]
    assert "shipped" in listed
    assert farm("runs", "list")[1].splitlines()[-1].split()[-1] == "release-1"
    assert json.loads(farm("runs", "list", "--json")[1])[-1]["tags"] == "release-1"
    code, out, _ = farm("runs", "show", "tag:release-1")
    assert (code, out.split(":")[0]) == (ExitCode.OK, name_of(29))
    assert farm("compare", "tag:release-1", name_of(28))[0] in (ExitCode.OK, ExitCode.UNDECIDED)
    assert (
        farm("runs", "tag", "--remove", "release-1")[1]
        == f"removed the tag release-1 of the run {name_of(29)}\n"
    )
    assert farm("runs", "show", "tag:release-1")[0] == ExitCode.REQUEST


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("latest",), "a run, and no tag for it"),
        (("latest", "a b"), "invalid tag 'a b'"),
        (("nowhere", "one"), "no run 'nowhere'"),
        (("latest", "--remove", "one"), "--remove takes no run"),
        (("--remove", "one"), "no tag 'one'"),
    ],
)
def test_a_tag_that_cannot_be_is_refused(farm: Farm, words: tuple[str, ...], message: str) -> None:  # noqa: F811
    code, out, err = farm("runs", "tag", *words)
    assert (code, out) == (ExitCode.REQUEST, "")
    assert message in err
    assert "  try: " in err


def test_a_run_of_another_folder_gets_no_tag_here(farm: Farm) -> None:  # noqa: F811
    code, _, err = farm("runs", "tag", str(Path("runs", name_of(1)).resolve()), "one", "--runs-dir", ".")
    assert code == ExitCode.REQUEST
    assert "--runs-dir" in err


def test_a_tag_that_cannot_be_read_costs_no_list_of_runs(farm: Farm) -> None:  # noqa: F811
    farm("runs", "tag", "latest", "one")
    Path("runs/.tags/one").write_text("{")
    code, out, err = farm("runs", "list")
    assert code == ExitCode.OK
    assert len(out.splitlines()) == 31
    assert "the tag runs/.tags/one cannot be read" in err


def test_gc_shows_what_would_go_and_removes_it_only_with_yes(farm: Farm) -> None:  # noqa: F811
    old, new = large(0), large(29)
    code, out, err = farm("runs", "gc", "--keep-last", "3")
    assert code == ExitCode.OK
    assert out.splitlines()[-1] == "1 run of 30 expired, 5 kB would go"
    assert "--yes removes it" in err
    assert old.exists()
    code, out, err = farm("runs", "gc", "--keep-last", "3", "--yes")
    assert out.splitlines()[-1] == "1 run of 30 expired, 5 kB removed"
    assert "farm runs kept --clean" in err
    assert not old.exists()
    assert new.exists()
    assert farm("runs", "show", name_of(0))[0] == ExitCode.OK
    assert len(json.loads(farm("history", "--json")[1])[0]["points"]) == 30


def test_gc_of_whole_runs_takes_them_from_the_history(farm: Farm) -> None:  # noqa: F811
    farm("runs", "tag", name_of(0), "release-1")
    found = json.loads(farm("runs", "gc", "--keep-last", "3", "--whole", "--yes", "--json")[1])
    assert [one["run"] for one in found["runs"] if not one["expired"]] == [
        name_of(number) for number in (0, 27, 28, 29)
    ]
    assert found["runs"][0]["kept_because"] == "tagged release-1"
    assert len(json.loads(farm("history", "--json")[1])[0]["points"]) == 4


def test_gc_without_a_rule_removes_nothing_and_says_so(farm: Farm) -> None:  # noqa: F811
    code, out, err = farm("runs", "gc", "--yes")
    assert (code, out) == (ExitCode.REQUEST, "")
    assert "nothing says which runs stay" in err
    assert farm("runs", "gc", "--keep-within", "soon")[0] == ExitCode.REQUEST


def test_a_disk_that_fails_in_the_middle_costs_one_run(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    first, second = large(0), large(1)
    removed = expire.remove

    def failing(directory, *, whole: bool) -> None:
        if directory.run_id == name_of(0):
            raise OSError(28, "No space left on device", str(first))
        removed(directory, whole=whole)

    monkeypatch.setattr(gc, "remove", failing)
    code, out, err = farm("runs", "gc", "--keep-last", "3", "--yes", "--json")
    assert code == ExitCode.NOTHING_RAN
    assert "1 run could not be removed" in err
    assert "No space left on device" in json.loads(out)["runs"][0]["problem"]
    assert (first.exists(), second.exists()) == (True, False)
