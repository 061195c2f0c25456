"""Searches on disk, and what a resumed one may be asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from farm.errors import RequestError, RunError
from farm.model.options import Value
from farm.tune.nouns import Asked
from farm.tune.state import TuneFolder, resumed
from tests.unit.tune.made import of_candidates, some

TUNE = of_candidates(some(3))


def folder(tmp_path: Path) -> TuneFolder:
    made = TuneFolder(tmp_path, "t")
    with made.alone():
        made.save(TUNE)
    return made


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    assert folder(tmp_path).load() == TUNE


def test_values_keep_their_types(tmp_path: Path) -> None:
    made = folder(tmp_path)
    options: dict[str, Value] = {"fast-run": True, "multithread": 1, "range": 1.0, "layout-transform": "cpu"}
    made.save(replace(TUNE, asked=Asked(options=options)))
    found = made.load().asked.options
    assert {name: type(value) for name, value in found.items()} == {
        "fast-run": bool, "multithread": int, "range": float, "layout-transform": str,
    }  # fmt: skip


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"version": 1}', b"\xff" * 100])
def test_a_damaged_file_is_a_mistake_that_is_told(tmp_path: Path, damage: bytes) -> None:
    made = folder(tmp_path)
    made.state_path.write_bytes(damage)
    with pytest.raises(RequestError, match=r"tune\.json cannot be read"):
        made.load()


def test_a_file_of_another_version_is_not_guessed_at(tmp_path: Path) -> None:
    made = folder(tmp_path)
    text = json.loads(made.state_path.read_text()) | {"version": 2}
    made.state_path.write_text(json.dumps(text))
    with pytest.raises(RequestError, match="is of version 2, this farm reads 1"):
        made.load()


def test_a_search_that_is_not_there_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    TuneFolder(tmp_path, "night").path.mkdir(parents=True)
    TuneFolder(tmp_path, "night").save(TUNE)
    with pytest.raises(RequestError, match=r"no search 'nigth'.*night"):
        TuneFolder(tmp_path, "nigth").load()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "latest", "-x", "x" * 61, "a b"])
def test_a_name_that_is_no_name_of_a_run_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match="invalid name of a search"):
        TuneFolder(tmp_path, name)


def test_a_search_that_goes_on_is_not_begun_twice(tmp_path: Path) -> None:
    made = folder(tmp_path)
    with made.alone(), pytest.raises(RequestError, match="the search t goes on already"), made.alone():
        pass
    with made.alone():
        pass


def test_a_disk_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / ".tune").write_text("a file")
    made = TuneFolder(tmp_path, "t")
    with pytest.raises(RunError, match="cannot write"), made.alone():
        pass
    with pytest.raises(RunError, match="cannot write"):
        made.save(TUNE)


def test_a_resumed_search_is_what_it_was_and_another_one_is_refused_with_what_differs() -> None:
    before = Asked(model="a.mge", seed=1, space=("threads=2",), options={"iter": 20})
    assert resumed(before, Asked()) == before
    assert resumed(before, Asked(model="a.mge", options={"iter": 20})) == before
    with pytest.raises(RequestError) as refused:
        resumed(before, Asked(model="b.mge", seed=2, budget="1h", options={"iter": 30}))
    assert refused.value.message == (
        "this search was asked for something else: model was a.mge, not b.mge; budget was not given, not 1h; "
        "seed was 1, not 2; options was iter=20, not iter=30"
    )
