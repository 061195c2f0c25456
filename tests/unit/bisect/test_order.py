"""The order of builds: of folders, files and names, and what each folder holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from farm.bisect.folders import build_in, build_name, names_of
from farm.bisect.kept import MadeBy, keep, kept
from farm.bisect.order import MOST_BYTES, order_of_folders, order_of_names, order_of_steps
from farm.errors import RequestError
from farm.model.build import Build


def test_folders_are_in_the_natural_order_of_their_names(tmp_path: Path) -> None:
    for name in ("v10", "v9", "v1"):
        (tmp_path / name / "install").mkdir(parents=True)
    (tmp_path / "v2").write_text("no folder")
    found = order_of_folders(f"{tmp_path}/*/install")
    assert found.names == ("v1", "v9", "v10")
    assert found.between("v1", "v10").names == ("v1", "v9", "v10")
    assert found.between("v10", f"{tmp_path}/v9/install/").names == ("v10", "v9")


def test_a_file_has_a_folder_on_each_line_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("# fast\nb\n\n a \n/x/c\n")
    found = order_of_folders(str(tmp_path / "list"))
    assert found.texts == (str(tmp_path / "b"), str(tmp_path / "a"), "/x/c")


def test_steps_are_named_by_their_beginning_where_there_is_only_one(tmp_path: Path) -> None:
    (tmp_path / "steps").write_text("8f3c1d2a\n8f3c9999\nb01dfac0\n")
    found = order_of_steps(tmp_path / "steps")
    assert found.between("8f3c1", "b01").names == found.names
    with pytest.raises(RequestError, match="GOOD '8f3c' is not one of the builds"):
        found.between("8f3c", "b01")
    with pytest.raises(RequestError, match="GOOD and BAD are both b01dfac0"):
        found.between("b01", "b01dfac0")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "has nothing: a bisect needs two builds"),
        (b"a\n", "has only a"),
        (b"a\nb\na\n", "a is twice in the order"),
        (b"\xff\n", "is no text in UTF-8"),
        (b"x" * (MOST_BYTES + 1), "is larger than"),
        (b"a\n" * 5001, "has more than 5000 builds"),
    ],
    ids=("empty", "one", "twice", "no-text", "large", "many"),
)
def test_a_file_of_steps_that_is_none_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "steps").write_bytes(data)
    with pytest.raises(RequestError) as caught:
        order_of_steps(tmp_path / "steps")
    assert says in str(caught.value)
    with pytest.raises(RequestError, match="cannot read the file"):
        order_of_steps(tmp_path / "none")


def test_names_are_those_of_builds_and_all_different() -> None:
    assert names_of(("out/v1/install", "out/v2/install")) == ("v1", "v2")
    assert names_of(("a/v1", "b/v1")) == ("a", "b")
    for strange in ("feature/x y", "é" * 100, "inventory", "baseline-1", "-", "\udcff"):
        assert build_name(strange) != strange
        assert len(build_name(strange)) <= 64
    mixed = names_of(("x/a-b/c", "x/a/b/c"))
    assert len(set(mixed)) == 2
    with pytest.raises(RequestError, match="--order names a twice"):
        order_of_names(("a", "b", "a"))


BY = MadeBy("make {step}", "a/v1 \udcff")


def built(path: Path, name: str) -> Build:
    found = build_in(path, name)
    assert isinstance(found, Build), found
    return found


def program(folder: Path, text: str = "x") -> Path:
    (folder / "lib").mkdir(parents=True)
    (folder / "load_and_run").write_text(text)
    (folder / "lib" / "liba.so.1").write_text(text)
    (folder / "lib" / "notes.sold").write_text("")
    return folder


def test_a_folder_holds_a_program_and_its_libraries_or_a_builds_file(tmp_path: Path) -> None:
    folder = program(tmp_path / "v1")
    runtime = built(folder, "v1").choices[0].runtime
    assert runtime.program == str(folder / "load_and_run")
    assert runtime.libraries == (str(folder / "lib" / "liba.so.1"),)
    assert "there is no load_and_run" in str(build_in(tmp_path, "v2"))
    (folder / "builds.yaml").write_text("builds: {any: {kind: wheel, preload: lib/liba.so.1}}\n")
    for path in (folder, folder / "builds.yaml"):
        found = built(path, "v1")
        assert found.name == "v1"
        assert found.choices[0].runtime.preload == (str(folder / "lib" / "liba.so.1"),)
    (folder / "builds.yaml").write_text("builds: {a: {kind: wheel}, b: {kind: wheel}}\n")
    with pytest.raises(RequestError, match="defines 2 builds"):
        build_in(folder, "v1")


def test_a_copy_of_a_build_stays_when_the_build_is_overwritten_and_half_a_copy_is_none(
    tmp_path: Path,
) -> None:
    folder = program(tmp_path / "build", "first")
    made = keep(built(folder, "v1"), tmp_path / "kept", BY)
    (folder / "load_and_run").write_text("second")
    again = kept(tmp_path / "kept", BY)
    assert again == made
    assert Path(again.choices[0].runtime.program).read_text() == "first"
    assert Path(again.choices[0].runtime.libraries[0]).name == "liba.so.1"
    for other in (replace(BY, command="./make {step}"), replace(BY, step="b/v1")):
        assert kept(tmp_path / "kept", other) is None
    Path(made.choices[0].runtime.program).unlink()
    assert kept(tmp_path / "kept", BY) is None
    (tmp_path / "kept" / "build.json").write_text("{")
    assert kept(tmp_path / "kept", BY) is None
