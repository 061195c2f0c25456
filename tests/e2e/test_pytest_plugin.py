"""`assert_not_slower` in sessions of a user, with MegEngine's wheel on this machine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, Farm
from tests.slow_library import build_slow_library

PAGE = ROOT / "docs" / "how-to" / "pytest.md"
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
UPDATE = "--farm-update-baseline"

pytestmark = [pytest.mark.wheel, pytest.mark.usefixtures("wheel_runtime")]


def session(farm: Farm, *words: str) -> str:
    """What pytest printed."""
    command = [sys.executable, "-m", "pytest", "--basetemp=tmp", "-W", "error", "-p", "no:asyncio", *words]
    done = subprocess.run(
        command, cwd=farm.folder, env=farm.environment, capture_output=True, text=True, check=False, timeout=300
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


@pytest.mark.long
def test_the_example_of_the_page_passes_or_is_undecided(farm: Farm) -> None:
    (farm.folder / "test_speed.py").write_text(EXAMPLE)
    assert "1 passed" in session(farm, UPDATE, "-q")
    assert not re.search(r"failed|error", session(farm, "-q").splitlines()[-1])


@pytest.mark.long
def test_a_slow_library_fails_the_test(farm: Farm) -> None:
    given = "models=['bundled:tiny'], rounds=6, options={'iter': 10}, minimum_effect='20%', builds='new', builds_file='builds.yaml'"
    (farm.folder / "test_it.py").write_text(
        f"def test_a(assert_not_slower):\n    assert_not_slower({given}, undecided='pass')\n"
    )
    # Both sides have a time of the library's own, which other work on this machine does not change.
    for milliseconds in (2, 20):
        library = build_slow_library(farm.folder, milliseconds * 1_000_000)
        build = {"kind": "wheel", "preload": [str(library)]}
        (farm.folder / "builds.yaml").write_text(json.dumps({"builds": {"new": build}}))
        said = session(farm, *([UPDATE] if milliseconds == 2 else []))
    assert "1 failed" in said
    assert re.search(
        r"local/tiny/default@new: this run is \d+ % slower than run \S+ \(95 %: \d+ to \d+ %\)", said
    )
    (report,) = re.findall(r"^  report: (.*)$", said, re.MULTILINE)
    assert Path(report).is_file()
