"""`scripts/arm-device`, without what it installs first."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.arm.programs import Programs

pytestmark = [pytest.mark.arm, pytest.mark.long, pytest.mark.timeout(900)]


def said(command: list[str]) -> str:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
    ).stdout


def test_a_board_for_people_tells_how_to_reach_it_survives_a_power_cut_and_leaves_nothing(
    stand_in: Programs, tmp_path: Path
):
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.arm", "--cores", "1", "--disk", "32", "--off-s", "0"),
        env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        told = []
        for line in process.stdout:
            told.append(line.strip())
            if line.startswith("Power cut:"):
                break
        else:
            pytest.skip(f"no ARM device here: {told}")
        (ssh,) = (shlex.split(line) for line in told if line.startswith("ssh "))
        assert said([*ssh, "touch kept; sync; uname -m"]) == "aarch64\n"
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline().startswith("power is cut")
        assert "answers after" in process.stdout.readline()
        assert said([*ssh, "ls kept"]) == "kept\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert list(tmp_path.iterdir()) == []
