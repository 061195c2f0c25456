"""The asset folders are found in a checkout and in an installed package; so are the scripts in them."""

from __future__ import annotations

import hashlib
from modulefinder import ModuleFinder
from pathlib import Path

import pytest

from farm import agents, resources
from farm.errors import RunError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed farm: only what is put into it is there."""
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "site" / "farm")
    for cached in (agents.agent_script, agents.runner_files, agents.unpack_script):
        cached.cache_clear()
    yield tmp_path / "site" / "farm"
    for cached in (agents.agent_script, agents.runner_files, agents.unpack_script):
        cached.cache_clear()


def test_an_installed_package_has_its_folders_inside(package):
    (package / "_data" / "agents").mkdir(parents=True)
    (package.parent / "agents").mkdir()
    assert resources.folder("agents") == package / "_data" / "agents"


def test_a_checkout_has_its_folders_beside_the_package(package):
    (package.parent / "reports").mkdir(parents=True)
    assert resources.folder("reports") == package.parent / "reports"


def test_a_folder_of_the_package_itself_is_found(package):
    (package / "bundled").mkdir(parents=True)
    assert resources.folder("bundled") == package / "bundled"


def test_a_broken_installation_is_told(package):
    with pytest.raises(RunError) as caught:
        resources.folder("agents")
    assert str(caught.value) == "this installation of farm is broken: its folder agents/ is missing"
    (package / "_data" / "agents").mkdir(parents=True)
    with pytest.raises(RunError) as caught:
        agents.agent_script()
    assert str(caught.value) == "this installation of farm is broken: agents/shell is missing"


def test_scripts_are_artifacts_named_by_their_content(package):
    folder = package / "_data" / "agents"
    (folder / "wheel" / "mge" / "deep").mkdir(parents=True)
    for name in ("load_and_run.py", "mge/b.py", "mge/a.py", "mge/deep/c.py", "unpack.py", "mge/README.md"):
        (folder / "wheel" / name).write_text(f"# {name}\n")
    for name in ("2-more/1-c.sh", "1-first/2-b.sh", "1-first/1-a.sh", "1-first/README.md"):
        (folder / "shell" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "shell" / name).write_text(f"# {name}\n")
    script = agents.agent_script()
    assert script.content == b"# 1-first/1-a.sh\n# 1-first/2-b.sh\n# 2-more/1-c.sh\n"
    assert script.sha256 == hashlib.sha256(script.content).hexdigest()
    files = agents.runner_files()
    assert [name for name, _ in files] == ["load_and_run.py", "mge/a.py", "mge/b.py", "mge/deep/c.py"]
    assert all(one.executable for _, one in files)
    assert [one.path for _, one in files] == [folder / "wheel" / name for name, _ in files]
    assert agents.unpack_script().path == folder / "wheel" / "unpack.py"


def test_this_checkout_has_every_script():
    assert agents.agent_script().content.startswith(b"#!/bin/sh\n")
    assert agents.runner_files()[0][0] == "load_and_run.py"
    assert agents.unpack_script().size_bytes


def test_what_is_pushed_is_what_a_run_imports_and_nothing_else():
    folder = resources.folder("agents") / "wheel"
    finder = ModuleFinder([str(folder)])
    finder.run_script(str(folder / "load_and_run.py"))
    files = (getattr(module, "__file__", None) for module in finder.modules.values())
    imported = {Path(file) for file in files if file}
    assert {one.path for _, one in agents.runner_files()} == imported
    assert set(folder.rglob("*.py")) == imported | {agents.unpack_script().path}
