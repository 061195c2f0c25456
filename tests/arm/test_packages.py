"""A machine that cannot have the packages of a board."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.arm import packages
from tests.arm.packages import UnavailableError


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt-get that has no network; what it is asked is in the file `asked` beside it."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("apt-get", "apt-cache", "dpkg-deb"):
        (tools / name).write_text(
            f'#!/bin/sh\necho "$*" >>{tools}/asked\necho "E: no route to host" >&2\nexit 100\n'
        )
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return tools


def test_packages_that_cannot_be_had_are_told_in_apts_words_and_not_asked_for_again_at_once(
    apt: Path, tmp_path: Path
):
    root = tmp_path / "root"
    root.mkdir()
    for _ in range(2):
        with (
            packages.locked(root),
            pytest.raises(UnavailableError, match="`apt-get update` failed: E: no route to host"),
        ):
            packages.fetch(root, "small", packages.SMALL)
    assert (apt / "asked").read_text() == "update -qq\n"


def test_a_missing_program_is_named():
    with pytest.raises(UnavailableError, match="not installed: no-such-program"):
        packages.need("sh", "no-such-program")
