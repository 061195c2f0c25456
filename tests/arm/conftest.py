"""Boards for tests, and `farm` that works on them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from ruamel.yaml import YAML

from farm.errors import ExitCode
from tests.arm import programs
from tests.arm.board import Board, Spec, running
from tests.arm.packages import UnavailableError
from tests.arm.programs import Programs
from tests.e2e.conftest import Farm, Outcome
from tests.forked import Forked, Forks

PATIENCE_S = 600
"""A bench of 12 rounds takes 40 s on a machine of two cores, and that machine may have other tests to do."""


def skip(error: UnavailableError) -> NoReturn:
    pytest.skip(f"no ARM device here: {error}")


class Lab:
    """Boards, and `farm` in a folder with an inventory of them. All have the stand-in as their program."""

    def __init__(self, folder: Path, forks: Forks, *boards: Board) -> None:
        self.farm = Farm(folder, forks)
        self.folder = folder
        self.boards = boards
        self.write()

    def write(self, **changes: object) -> None:
        """inventory/lab.yaml; `changes` are merged into each device (`env={"WORK": "1"}`)."""
        inventory = self.folder / "inventory"
        inventory.mkdir(exist_ok=True)
        runtime = {"kind": "native", "program": str(programs.arm64().static)}
        devices = {
            board.spec.name: board.inventory_entry() | {"runtime": runtime} | changes for board in self.boards
        }
        with (inventory / "lab.yaml").open("w") as stream:
            YAML().dump({"devices": devices}, stream)
        lines = [f"{board.known_hosts_line}\n" for board in self.boards]
        (inventory / "known_hosts").write_text("".join(lines))

    def start(self, *words: str) -> Forked:
        """`farm bench` of one small model on all boards."""
        return self.farm.start("bench", "--devices", "arm-*", "--model", "bundled:tiny", "--json", *words)

    def bench(self, *words: str) -> Outcome:
        return self.end(self.start(*words))

    @staticmethod
    def end(process: Forked) -> Outcome:
        """What it did. One that does not end is killed and fails the test."""
        try:
            stdout, stderr = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
        assert process.returncode not in {None, ExitCode.REGRESSION}, stderr
        return Outcome(process.returncode, stdout, stderr)

    def left_over(self) -> str:
        """What of farm's own runs on the first board."""
        return self.boards[0].run(
            "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done 2>/dev/null"
            " | grep -e '/\\.cache/farm/' -e '[:] farm-agent,' || true"
        )


@pytest.fixture(scope="session")
def stand_in() -> Programs:
    try:
        return programs.arm64()
    except UnavailableError as error:
        skip(error)


@pytest.fixture
def boot(stand_in: Programs, tmp_path: Path, forks: Forks) -> Iterator[Callable[[Spec], Lab]]:
    """`boot(spec)`: a lab of one board that has started."""
    with contextlib.ExitStack() as stack:

        def make(spec: Spec) -> Lab:
            try:
                board = stack.enter_context(running(spec, tmp_path / "board"))
            except UnavailableError as error:
                skip(error)
            (tmp_path / "lab").mkdir()
            return Lab(tmp_path / "lab", forks, board)

        yield make


@pytest.fixture(scope="session")
def shared(stand_in: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """A board of two cores with a disk, for tests that leave it as it was."""
    try:
        with running(Spec(cores=2, disk_mib=64), tmp_path_factory.mktemp("arm") / "board") as board:
            yield board
    except UnavailableError as error:
        skip(error)
