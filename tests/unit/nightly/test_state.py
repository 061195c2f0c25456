"""The state of a suite's nights on disk: whatever its file holds, a night can begin."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from farm.errors import RequestError, RunError
from farm.nightly.nouns import Finding, Kind, Open, State
from farm.nightly.state import FOLDER, Nights

STATE = State(
    (Open(Finding(Kind.SLOWER, "a", "b", "ü"), "n1"),), {"who": (Finding(Kind.ENDED, "a", "", "c"),)}
)


def test_what_is_remembered_is_there_the_next_night(tmp_path: Path) -> None:
    nights = Nights(tmp_path, "lab")
    assert nights.load() == (State(), None)
    with nights.alone():
        nights.save(STATE)
    assert Nights(tmp_path, "lab").load() == (STATE, None)
    assert Nights(tmp_path, "other").load() == (State(), None)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b'{"version": 1}', b"[" * 100_000])
def test_a_file_that_cannot_be_read_is_named_and_everything_is_told_as_new(
    tmp_path: Path, data: bytes
) -> None:
    nights = Nights(tmp_path, "lab")
    with nights.alone():
        (tmp_path / FOLDER / "lab.json").write_bytes(data)
    state, trouble = nights.load()
    assert state == State()
    assert "lab.json cannot be read" in trouble
    nights.save(STATE)
    assert nights.load() == (STATE, None)


def test_a_file_of_a_newer_farm_is_named(tmp_path: Path) -> None:
    nights = Nights(tmp_path, "lab")
    with nights.alone():
        nights.save(STATE)
    path = tmp_path / FOLDER / "lab.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 2}))
    assert nights.load()[1] == f"{path} is of version 2: everything is told as new"


def test_two_nights_of_one_suite_are_never_at_the_same_time(tmp_path: Path) -> None:
    with Nights(tmp_path, "lab").alone():
        with (
            pytest.raises(RequestError, match="a nightly of lab goes on already"),
            Nights(tmp_path, "lab").alone(),
        ):
            pass
        with Nights(tmp_path, "other").alone():
            pass
    with Nights(tmp_path, "lab").alone():
        pass


def test_a_disk_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no folder")
    with pytest.raises(RunError, match="cannot write"), Nights(tmp_path, "lab").alone():
        pass
    with pytest.raises(RunError, match="cannot write"):
        Nights(tmp_path, "lab").save(STATE)


def test_the_name_of_a_suite_is_one_part_of_a_path_and_a_tag(tmp_path: Path) -> None:
    nights = Nights(tmp_path, "../a b")
    with nights.alone():
        nights.save(STATE)
    assert [path.parent.name for path in tmp_path.rglob("*.json")] == [FOLDER]
    for stem in ("../a b", "größe", "a=b", "a+b", "x" * 300, "", "...", "\udcff"):
        name = Nights(tmp_path, stem).name
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", name), stem
    assert Nights(tmp_path, "lab-1.x").name == "lab-1.x"
    assert Nights(tmp_path, "a b").name != Nights(tmp_path, "a-b").name
