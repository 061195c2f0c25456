"""The hooks that run before a commit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.project.conftest import Tool


@pytest.fixture
def hooks(root: Path) -> list[dict[str, Any]]:
    repos = YAML(typ="safe", pure=True).load(root / ".pre-commit-config.yaml")["repos"]
    assert [repo["repo"] for repo in repos] == ["local"], "nothing is fetched from elsewhere"
    return repos[0]["hooks"]


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A repository with the hooks and settings of this one, and this environment as its .venv."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in (".pre-commit-config.yaml", "pyproject.toml"):
        shutil.copy(root / name, folder)
    (folder / ".venv").symlink_to(sys.prefix)
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    return folder


def test_every_hook_calls_a_locked_tool_that_the_tests_call_too(
    hooks: list[dict[str, Any]], root: Path
) -> None:
    everything = (root / "scripts/lint").read_text()
    for hook in hooks:
        program = hook["entry"].split()[0]
        assert program.startswith(".venv/bin/")
        assert hook["language"] == "system"
        assert program in everything.split()


@pytest.mark.parametrize(
    ("hook", "file", "text", "complaint"),
    [
        ("ruff-check", "unused.py", "import os\n", "F401"),
        ("ruff-format", "wide.py", "x  =  1\n", "would be reformatted"),
        ("shellcheck", "quotes.sh", "#!/bin/sh\necho $1\n", "SC2086"),
    ],
)
def test_a_hook_stops_a_commit(
    hook: str, file: str, text: str, complaint: str, checkout: Path, tool: Tool
) -> None:
    (checkout / file).write_text(text)
    subprocess.run(["git", "add", file], cwd=checkout, check=True)
    settings = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    settings["PRE_COMMIT_HOME"] = str(checkout.parent / "cache")
    outcome = tool("pre_commit", "run", hook, cwd=checkout, env=settings)
    assert outcome.returncode == 1, outcome.stderr
    assert complaint in outcome.stdout
