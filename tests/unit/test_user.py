"""A user without a name, as containers have, can use farm."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = "import os; from farm.user import own_home, own_user; {}; print(own_user(), own_home())"


def told(first: str = "pass", **environment: str) -> str:
    words = (sys.executable, "-c", SCRIPT.format(first))
    environment |= {"PATH": os.environ["PATH"]}
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_user_without_a_name_and_a_home_has_a_number_and_the_root() -> None:
    assert told("os.setuid(54321)") == "uid-54321 /"


def test_a_user_with_a_name_has_that() -> None:
    assert told(LOGNAME="ann", HOME="/home/ann") == "ann /home/ann"
