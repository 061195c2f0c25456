"""Builds that a command makes: each once, and never those of another command or step."""

from __future__ import annotations

from pathlib import Path

from farm.bisect.builds import of_command
from farm.bisect.command import Maker
from farm.bisect.order import Order
from farm.model.build import Build
from farm.model.limits.deadlines import Deadlines

MAKE = """#!/bin/sh
echo "$0 $1" >>{folder}/made
mkdir -p {folder}/out && echo "$0 $1" >{folder}/out/load_and_run && echo {folder}/out
"""


def program(folder: Path, command: str, step: str) -> str:
    """What is got of the first build, where this command makes it."""
    path = folder / command
    path.write_text(MAKE.format(folder=folder))
    path.chmod(0o755)
    maker = Maker(f"{path} {{step}}", folder / "logs", Deadlines())
    found = of_command(Order(("v1", "v2"), (step, "v2")), maker, folder / "kept").get(0)
    assert isinstance(found, Build), found
    return Path(found.choices[0].runtime.program or "").read_text().replace(f"{folder}/", "").strip()


def test_a_build_is_made_once_and_again_where_the_command_or_the_step_is_another(tmp_path: Path) -> None:
    for command, step in (("a", "a/v1"), ("a", "a/v1"), ("b", "a/v1"), ("b", "b/v1")):
        assert program(tmp_path, command, step) == f"{command} {step}"
    assert len((tmp_path / "made").read_text().splitlines()) == 3
