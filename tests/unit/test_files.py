"""Files on the controller are written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from farm.files import ascii_name, path_name, tidy, write_atomic


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        write_atomic(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_replaced_stays_and_nothing_lies_about(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomic(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["模型", "모델-2", "моде́ль", "été", "हिन्दी", "resnet18_v1.5"])
def test_a_readable_name_of_any_script_stays_as_it_is(name: str) -> None:
    assert path_name(name) == name


HOSTILE = [
    "caf\udce9",
    "\ud800",
    "x\u202ey",
    "a/b",
    "a\0b",
    "..",
    "-",
    "",
    ".hidden",
    "e\u0301",
    "😀",
    "日本" * 60,
    "a" * 300,
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
@pytest.mark.parametrize("named", [path_name, ascii_name])
def test_any_other_name_becomes_one_that_can_be_written_and_stays_different(
    tmp_path: Path, name: str, named: Callable[[str], str]
) -> None:
    made = named(name)
    (tmp_path / f".{made}.abcdefgh").write_text(made, "utf-8")
    assert made.isprintable()
    assert named(made) == made
    assert len({named(one) for one in HOSTILE}) == len(HOSTILE)
    assert made.strip(".-") == made
    assert named is path_name or made.isascii()


def test_a_path_is_told_without_detours_unless_a_link_makes_it_another_place(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "link").symlink_to("far/away")
    assert tidy(tmp_path / "lab" / ".." / "builds" / "x") == tmp_path / "builds" / "x"
    assert tidy(tmp_path / "gone" / ".." / "x") == tmp_path / "x"
    detour = tmp_path / "link" / ".." / "x"
    assert tidy(detour) == detour
    assert tidy(Path("/a\0/../b")) == Path("/a\0/../b")
