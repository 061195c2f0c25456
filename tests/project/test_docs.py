"""The documentation site."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.project.conftest import Tool

LOADED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?(?:https?:)?//[^\s>]*")


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    shutil.copytree(root / "docs", tmp_path / "docs")
    shutil.copy(root / "mkdocs.yml", tmp_path)
    return tmp_path


def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(copy: Path, tool: Tool) -> None:
    outcome = tool("mkdocs", "build", cwd=copy)
    assert outcome.returncode == 0, outcome.stderr
    pages = list((copy / "site").rglob("*.html"))
    assert len(pages) > len(list((copy / "docs").rglob("*.md")))  # and 404.html
    assert [load for page in pages for load in LOADED.findall(page.read_text())] == []


def test_a_page_outside_the_navigation_a_dead_link_and_a_dead_anchor_are_errors_of_the_site(
    copy: Path, tool: Tool
) -> None:
    (copy / "docs" / "orphan.md").write_text("# Orphan")
    (copy / "docs" / "index.md").write_text("[gone](gone.md) [gone](cli.md#gone)")
    outcome = tool("mkdocs", "build", cwd=copy)
    assert outcome.returncode != 0
    for complaint in ("  - orphan.md", "link 'gone.md', but", "link 'cli.md#gone', but"):
        assert complaint in outcome.stderr


def test_what_reliability_names_as_its_proof_exists(root: Path) -> None:
    page = (root / "docs" / "reliability.md").read_text("utf-8")
    rows = [
        line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| What is odd")
    ]
    assert len(rows) > 40
    tests = "\n".join(file.read_text("utf-8") for file in (root / "tests").rglob("test_*.py"))
    for row in rows:
        names, files = re.findall(r"`(test_\w+)`", row), re.findall(r"`(tests/[\w/]+\.py)`", row)
        assert names or files, row
        assert [name for name in names if not re.search(rf"def {name}\b", tests)] == []
        assert [file for file in files if not (root / file).is_file()] == []
