"""The rooms are small, imports go one way, and the picture and the page about the rooms say what the code says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

MOST_FILES = 15
MOST_LINES = 40
PROGRAM_LAYERS = (
    {"execution"},
    {"inputs", "outputs"},
    {"command_line", "bindings"},
    {"files"},
    {"errors"},
    {"log"},
)
"""Of the program that runs on devices, `agents/wheel/mge/`, as docs/wheel-runtime.md has them."""


def rooms(root: Path) -> list[Path]:
    """Of farm and of the program that it pushes to devices for the wheel runtime."""
    return sorted({file.parent for part in ("farm", "agents/wheel") for file in (root / part).rglob("*.py")})


def test_the_picture_of_the_rooms_is_the_one_that_the_code_gives(root: Path) -> None:
    command = [sys.executable, "scripts/draw_rooms.py", "--check"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"python scripts/draw_rooms.py {done.stderr}"


def test_no_room_has_more_files_than_can_be_taken_in(root: Path) -> None:
    crowded = {
        str(room.relative_to(root)): count
        for room in rooms(root)
        if (count := len([file for file in room.glob("*.py") if file.name != "__init__.py"])) > MOST_FILES
    }
    assert crowded == {}


def test_imports_of_the_program_on_devices_go_one_way(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Import-linter checks those of farm, but does not look for packages in `agents/wheel`."""
    monkeypatch.syspath_prepend(str(root / "agents" / "wheel"))
    graph = grimp.build_graph("mge", cache_dir=None)
    assert graph.find_children("mge") == {f"mge.{name}" for layer in PROGRAM_LAYERS for name in layer}
    broken = graph.find_illegal_dependencies_for_layers(layers=PROGRAM_LAYERS, containers={"mge"})
    assert {(one.importer, one.imported) for one in broken} == set()


@pytest.mark.parametrize("room", ["run", "device", "plan"])
def test_no_function_is_longer_than_a_screen(root: Path, room: str) -> None:
    long = [
        f"{file.name}: {node.name}"
        for file in (root / "farm" / room).glob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES
    ]
    assert long == []


def test_every_file_that_the_page_names_is_there(root: Path) -> None:
    text = (root / "docs" / "architecture.md").read_text("utf-8").split("## Planned rooms")[0]
    named = re.findall(r"`((?:farm|agents|reports|tests|scripts|docs)/[\w./-]*)`", text)
    assert len(named) > 30
    assert [name for name in named if not (root / name).exists()] == []


def test_every_field_of_the_report_view_is_shown(root: Path) -> None:
    shown = "\n".join(file.read_text("utf-8") for file in (root / "reports").rglob("*.j2"))
    fields = {
        f"{node.name}.{field.target.id}"
        for file in (
            *(root / "farm/report/views").glob("*.py"),
            root / "farm/report/figures/view.py",
            root / "farm/release/view.py",
        )
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
    assert len(fields) > 50
    unused = {name for name in fields if not re.search(rf"\b{name.rpartition('.')[2]}\b", shown)}
    assert unused == set()
