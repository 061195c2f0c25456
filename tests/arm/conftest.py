"""Boards for tests, and `farm` that works on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.arm import programs
from tests.arm.board import Board, Spec, running
from tests.arm.packages import UnavailableError
from tests.arm.programs import Programs
from tests.e2e.conftest import Farm, Outcome


def skip(error: UnavailableError) -> None:
    pytest.skip(f"no ARM device here: {error}")


class Lab:
    """Boards, and `farm` in a folder with an inventory of them. All have the stand-in as their program."""

    def __init__(self, folder: Path, *boards: Board) -> None:
        self.farm = Farm(folder)
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

    def bench(self, *words: str) -> Outcome:
        """One small model on all boards, with times that are long enough to be told apart."""
        return self.farm("bench", "--devices", "arm-*", "--model", "bundled:tiny", "--json", *words)

    def left_over(self) -> str:
        """What of farm's own runs on the first board."""
        return self.boards[0].run(
            "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done 2>/dev/null | grep '/\\.cache/farm/' || true"
        )

    def facts(self) -> dict[str, Any]:
        """What `farm devices check` says of the first board."""
        checked = self.farm("devices", "check", "--json")
        assert checked.code == 0, checked.stderr
        return json.loads(checked.stdout)


@pytest.fixture(scope="session")
def stand_in() -> Programs:
    try:
        return programs.arm64()
    except UnavailableError as error:
        skip(error)
        raise


@pytest.fixture
def boot(stand_in: Programs, tmp_path: Path, request: pytest.FixtureRequest):
    """`boot(spec)`: a lab of one board that has started."""

    def make(spec: Spec) -> Lab:
        board = running(spec, tmp_path / "board")
        try:
            started = board.__enter__()
        except UnavailableError as error:
            skip(error)
        request.addfinalizer(lambda: board.__exit__(None, None, None))
        (tmp_path / "lab").mkdir()
        return Lab(tmp_path / "lab", started)

    return make


@pytest.fixture(scope="session")
def shared(stand_in: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """A board of two cores with a disk, for tests that leave it as it was."""
    try:
        with running(Spec(cores=2, disk_mib=64), tmp_path_factory.mktemp("arm") / "board") as board:
            yield board
    except UnavailableError as error:
        skip(error)
