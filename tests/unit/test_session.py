"""The sessions of these tests themselves: nothing stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FORGETFUL = """
import os, subprocess, tempfile

def test_forgetful(tmp_path):
    open(os.path.join(tempfile.gettempdir(), "forgotten"), "w").close()
    subprocess.Popen(("sleep", "987"), cwd=tmp_path)
"""
TIDY = """
def test_tidy(tmp_path):
    (tmp_path / "x").touch()
"""


def session(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    """A session with one test and one worker, whose folder lies in `folder`."""
    (folder / "test_x.py").write_text(test)
    command = (
        sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(folder), "-p", "tests.session",
        "-n", "1", "-W", "ignore", str(folder),
    )  # fmt: skip
    # With these pytest says an error twice.
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTEST_", "CI", "BUILD_NUMBER"))
    }
    environment |= {"TMPDIR": str(folder), "PATIENCE_S": "0.2"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_what_a_session_leaves_behind_is_its_error_and_is_kept(tmp_path: Path) -> None:
    ended = session(tmp_path, FORGETFUL)
    left = [line for line in ended.stdout.splitlines() if line.startswith(("file ", "process "))]
    for line in left:
        if line.startswith("process "):
            os.kill(int(line.split()[1].rstrip(":")), 9)
    assert (ended.returncode, "1 passed, 1 error" in ended.stdout) == (1, True), ended.stdout
    assert [line.rpartition("/")[2].rpartition(": ")[2] for line in left] == ["forgotten", "sleep 987"]
    assert len(list(tmp_path.glob("farm-tests-*/tmp/forgotten"))) == 1


def test_of_a_session_that_passes_nothing_stays(tmp_path: Path) -> None:
    ended = session(tmp_path, TIDY)
    assert (ended.returncode, "1 passed" in ended.stdout) == (0, True), ended.stdout
    assert list(tmp_path.glob("farm-tests-*")) == []
