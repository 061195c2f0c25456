"""The command `farm` as a user runs it, and labs on loopback for it to work on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from farm.errors import ExitCode
from farm.runtime.cache import default_root
from tests.forked import Forked, Forks
from tests.servers import LoopbackFarm, loopback_farm

ROOT = Path(__file__).parents[2]
LOOKALIKE = ROOT / "tests" / "lookalike" / "load_and_run"
PATIENCE_S = 120


@dataclass(frozen=True)
class Outcome:
    """What `farm` did. `results` is the parsed stdout of `--json`."""

    code: int
    stdout: str
    stderr: str

    @property
    def results(self) -> dict[str, Any]:
        return json.loads(self.stdout)

    def cells(self, **wanted: str) -> list[dict[str, Any]]:
        return [c for c in self.results["cells"] if all(c[key] == value for key, value in wanted.items())]

    def statuses(self) -> dict[str, set[str]]:
        """The statuses of each device's cells."""
        found: dict[str, set[str]] = {}
        for cell in self.results["cells"]:
            found.setdefault(cell["device"], set()).add(cell["status"])
        return found


class Farm:
    """`farm` in a folder of its own, with a home and a cache of its own: nothing of the person who runs the tests
    takes part, and tests that run at the same time never share the device `local`. The runtime is everybody's.
    """

    def __init__(self, folder: Path, forks: Forks) -> None:
        self.folder = folder
        self._forks = forks
        # The first `python3` is what it says, and no wrapper of some tool's that starts 25 processes.
        path = f"{Path(sys.executable).resolve().parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = os.environ | {
            "PATH": path,
            "PYTHONPATH": str(ROOT), "COLUMNS": "80",
            "HOME": str(folder / "home"), "FARM_CACHE_DIR": str(folder / "cache"),
            "FARM_STAT": "/dev/null",  # other tests are no neighbours of the device
            "FARM_SHARED": "/dev/null",
        }  # fmt: skip
        self.environment.pop("SSH_AUTH_SOCK", None)
        for name in ("home", "cache"):
            (folder / name).mkdir()
        (folder / "cache" / "runtimes").symlink_to(default_root())
        self.may_be_slower = False
        """Whether a test is about what is slower, or wrong: the only reasons for exit code 1."""

    def start(self, *words: str) -> Forked:
        return self._forks.start(words, cwd=self.folder, env=self.environment)

    def __call__(self, *words: str) -> Outcome:
        return self.end(self.start(*words))

    def end(self, process: Forked | subprocess.Popen[str]) -> Outcome:
        try:
            stdout, stderr = process.communicate(timeout=PATIENCE_S)
        except (TimeoutError, subprocess.TimeoutExpired):
            process.kill()
            process.communicate()
            raise
        # 1 means wrong outputs, which are told, or a confirmed regression, and nothing else.
        assert process.returncode is not None, stderr
        if process.returncode == ExitCode.REGRESSION and not self.may_be_slower:
            assert "wrong outputs" in stdout + stderr, stderr
        return Outcome(process.returncode, stdout, stderr)

    def interrupt(self, process: Forked, number: signal.Signals) -> Outcome:
        process.send_signal(number)
        return self.end(process)


class Lab:
    """Five devices on loopback, an inventory for them, and `farm` beside it."""

    def __init__(self, folder: Path, servers: LoopbackFarm, forks: Forks) -> None:
        self.servers = servers
        self.folder = folder
        self.farm = Farm(folder, forks)

    def write(self, runtime: Mapping[str, object], **changes: Mapping[str, object]) -> None:
        """inventory/lab.yaml; `changes` are merged into the device of that name (`arm_1` for arm-1)."""
        inventory = self.folder / "inventory"
        inventory.mkdir(exist_ok=True)
        devices = {name: server.inventory_entry() for name, server in self.servers.servers.items()}
        for name, change in changes.items():
            devices[name.replace("_", "-")] |= dict(change)
        with (inventory / "lab.yaml").open("w") as stream:
            YAML().dump({"defaults": {"runtime": dict(runtime)}, "devices": devices}, stream)
        (inventory / "known_hosts").write_text(self.servers.known_hosts.read_text())

    def native(self, **changes: Mapping[str, object]) -> None:
        """All devices with the look-alike as their native program."""
        self.write({"kind": "native", "program": str(LOOKALIKE)}, **changes)

    def leftovers(self) -> list[str]:
        """Command lines of what still runs on the devices, but for the servers themselves."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    where = str((entry / "cwd").readlink())
                except OSError:
                    continue
                if where.startswith(str(self.folder / "devices")):
                    found.append(line)
        return [line for line in found if "sshd" not in line and "dropbear" not in line]


@pytest.fixture
def farm(tmp_path: Path, forks: Forks) -> Farm:
    return Farm(tmp_path, forks)


@pytest.fixture
def lab(tmp_path: Path, forks: Forks) -> Iterator[Lab]:
    with loopback_farm(tmp_path / "devices") as servers:
        yield Lab(tmp_path, servers, forks)


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
