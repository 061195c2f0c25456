"""What the package says of itself."""

from __future__ import annotations

import re
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import farm


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    import build

    folder = tmp_path_factory.mktemp("dist")
    built = build.ProjectBuilder(root).build("wheel", folder)
    return zipfile.ZipFile(built)


def test_the_wheel_tells_type_checkers_that_it_has_types(wheel: zipfile.ZipFile) -> None:
    assert "farm/py.typed" in wheel.namelist()


def test_the_wheel_has_the_version_of_the_code(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert Parser().parsestr(wheel.read(name).decode())["Version"] == farm.__version__


def test_the_version_is_written_once(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert project["dynamic"] == ["version"]
    folders = ("farm", "agents", "reports", "scripts", "docs", "inventory", ".github")
    files = [file for folder in folders for file in (root / folder).rglob("*") if file.is_file()]
    files += [file for file in root.iterdir() if file.suffix in {".md", ".toml", ".yml"}]
    number = re.compile(rb"(?<![\d.])" + re.escape(farm.__version__).encode() + rb"(?!\.?\d)")
    places = {str(file.relative_to(root)) for file in files if number.search(file.read_bytes())}
    assert {place for place in places if not place.endswith(".pyc")} - {"CHANGELOG.md"} == {
        "farm/__init__.py"
    }
