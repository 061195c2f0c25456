"""The examples of docs/how-to/nightly.md are what the programs that read them take."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from farm.cli.commands import COMMANDS
from farm.inventory import acknowledged, suite

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "nightly.md"
BLOCKS = dict(re.findall(r"```(?:yaml|ini)\n# ([^\n,]+)[^\n]*\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))


def test_the_suite_and_the_acknowledgements_are_read(tmp_path: Path) -> None:
    for name in ("nightly.yaml", "acknowledged.yaml"):
        (tmp_path / name).write_text(BLOCKS[name])
    found = suite.load(tmp_path / "nightly.yaml").nightly
    assert found.baselines == ("last-good", "tag:release-1.13")
    assert acknowledged.load(found.acknowledged)[0].who == "lee"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    units = [name for name in BLOCKS if name.startswith("/etc/systemd/system/")]
    paths = [tmp_path / Path(name).name for name in units]
    for name, path in zip(units, paths, strict=True):
        path.write_text(BLOCKS[name])
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    complaints = [
        line for line in done.stderr.splitlines() if str(tmp_path) in line or "farm-nightly" in line
    ]
    assert complaints == []
    assert len(units) == 2


@pytest.mark.parametrize(
    ("name", "schema"),
    [(".github/workflows/nightly.yml", "vendor.github-workflows"), (".gitlab-ci.yml", "vendor.gitlab-ci")],
)
def test_workflow_files_fit_the_schemas_of_those_who_read_them(
    tmp_path: Path, name: str, schema: str
) -> None:
    path = tmp_path / Path(name).name
    path.write_text(BLOCKS[name])
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, "--data-transform"]
    words += ["gitlab-ci" if "gitlab" in schema else "azure-pipelines", str(path)]
    words = (
        words
        if "gitlab" in schema
        else [one for one in words if one not in ("--data-transform", "azure-pipelines")]
    )
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_line_calls_a_command_that_there_is() -> None:
    known = {row.words for row in COMMANDS}
    called = re.findall(r"\bfarm (nightly|runs tag)\b", PAGE.read_text("utf-8"))
    assert set(called) <= known
    assert called.count("nightly") >= 5
