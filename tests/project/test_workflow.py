"""Files that a code host reads, checked here because it runs only after the push."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.project.conftest import Tool

PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
"""An action by commit: a tag can be moved."""


@pytest.fixture
def jobs(root: Path) -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(root / ".github/workflows/ci.yml")["jobs"]


def runs(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", "workflows/*.yml"),
        ("custom.github-workflows-require-timeout", "workflows/*.yml"),
        ("vendor.github-issue-forms", "ISSUE_TEMPLATE/*.yml"),
    ],
)
def test_a_file_follows_its_published_schema(schema: str, files: str, root: Path, tool: Tool) -> None:
    found = list((root / ".github").glob(files))
    outcome = tool("check_jsonschema", "--builtin-schema", schema, *found)
    assert found
    assert outcome.returncode == 0, outcome.stdout


def test_every_action_is_pinned_to_a_commit(jobs: dict[str, Any]) -> None:
    actions = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert actions
    assert [action for action in actions if not PINNED.fullmatch(action)] == []


def test_every_job_ends_with_a_script_that_anybody_can_run(jobs: dict[str, Any], root: Path) -> None:
    for name, job in jobs.items():
        script = runs(job)[-1].split()[0]
        assert script.startswith("./scripts/"), name
        assert os.access(root / script, os.X_OK), name


def test_dependencies_are_audited_after_each_push_and_each_week(jobs: dict[str, Any]) -> None:
    assert runs(jobs["audit"]) == ["./scripts/audit-dependencies"]
    assert "if" not in jobs["audit"]


def test_an_audit_that_cannot_reach_its_database_says_so_and_fails_only_in_the_ci(root: Path) -> None:
    """No index answers on port 1, and nothing is there in the cache."""
    nowhere = {
        "UV_INDEX_URL": "http://127.0.0.1:1/",
        "UV_DEFAULT_INDEX": "http://127.0.0.1:1/",
        "UV_NO_CACHE": "1",
        "UV_HTTP_RETRIES": "0",
    }
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | nowhere
    for more, code in (({}, 0), ({"CI": "true"}, 3)):
        script = root / "scripts" / "audit-dependencies"
        done = subprocess.run(
            [script],
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, done.stderr
        assert "not audited: requirements/run.txt" in done.stderr


def test_the_tests_are_the_command_of_the_readme(jobs: dict[str, Any], root: Path) -> None:
    assert runs(jobs["test"])[-1] == "./scripts/test"
    assert "\n./scripts/test " in (root / "README.md").read_text()


def test_the_oldest_python_that_the_package_allows_is_tested(jobs: dict[str, Any], root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=")
    assert jobs["test"]["strategy"]["matrix"]["python"][0] == oldest
    corners = jobs["dependencies"]["strategy"]["matrix"]["include"]
    assert {"resolution": "lowest-direct", "python": oldest} in corners
