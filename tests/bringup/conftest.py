"""A machine to bring up: a real sshd that sees this machine's folders through overlays. What is changed there is in
memory, and gone with it: users, packages and rules of this machine stay as they are.
"""

from __future__ import annotations

import contextlib
import functools
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.e2e.conftest import Farm, Outcome
from tests.forked import Forks
from tests.servers import Server, can_make_namespace, sshd

OVERLAID = ("etc", "home", "root", "srv", "usr/bin", "usr/sbin", "usr/local", "var")
"""What tasks write to, and where tools are taken away from."""


@dataclass
class Machine:
    """A running one. Its files are below `root`, as its processes see them."""

    server: Server
    entry: dict[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return Path(f"/proc/{self.server.process.pid}/root")

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def tree(self) -> dict[str, tuple[int, int, bytes]]:
        """All that was written on it: owner, mode and content of every file of the overlays' upper folders."""
        upper = self.path("/mnt/upper")
        found = {}
        for path in sorted(upper.rglob("*")):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path.relative_to(upper))] = (status.st_uid, status.st_mode, content)
        return found

    def sh(self, command: str) -> str:
        """What root there gets from a command."""
        words = ["nsenter", "-m", "-t", str(self.server.process.pid), "sh", "-c", command]
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout

    def as_user(self, user: str, argv: tuple[str, ...]) -> str:
        """The same of a user of it."""
        return self.sh(shlex.join(("su", "-s", "/bin/sh", user, "-c", shlex.join(argv))))


class Room:
    """`farm` beside machines and the inventory that names them."""

    def __init__(self, folder: Path, forks: Forks) -> None:
        self.farm = Farm(folder, forks)
        self.folder = folder
        self.inventory = folder / "lab.yaml"

    def write(self, *, trusted: bool = True, **machines: Machine) -> None:
        devices = {
            name.replace("_", "-"): machine.server.inventory_entry() | machine.entry
            for name, machine in machines.items()
        }
        with self.inventory.open("w") as stream:
            YAML().dump({"devices": devices}, stream)
        lines = "".join(f"{one.server.known_hosts_line}\n" for one in machines.values())
        (self.folder / "known_hosts").write_text(lines if trusted else "")

    def provision(self, *words: str, said: str | None = None) -> Outcome:
        """`farm devices provision`; `said` is what is typed, if anything is asked."""
        words = ("devices", "provision", *words, "-i", str(self.inventory))
        return self.farm(*words) if said is None else self.typed(*words, said=said)

    def typed(self, *words: str, said: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "farm", *words], cwd=self.folder, env=self.farm.environment, input=said,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode != 1, done.stderr
        assert "Traceback" not in done.stderr
        return Outcome(done.returncode, done.stdout, done.stderr)


Machines = Callable[..., Machine]


@pytest.fixture
def room(tmp_path: Path, forks: Forks) -> Room:
    return Room(tmp_path, forks)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machines]:
    """Makes one: `tools` are scripts that stand first in PATH, `without` are programs that it lacks, `setup` is a
    command that root runs there before the server starts.
    """
    if not can_make_namespace() or shutil.which("nsenter") is None or not can_overlay():
        pytest.skip("needs root, a mount namespace and overlays")
    with contextlib.ExitStack() as stack:

        def make(
            name: str = "arm-1",
            *,
            tools: dict[str, str] | None = None,
            without: tuple[str, ...] = (),
            setup: str = ":",
        ) -> Machine:
            folder = tmp_path / "machines" / name
            folder.mkdir(parents=True)
            made = folder / "tools"
            made.mkdir()
            for tool, script in (tools or {}).items():
                (made / tool).write_text(f"#!/bin/sh\n{script}\n")
                (made / tool).chmod(0o755)
            (folder / "mnt").mkdir()
            prepared = folder / "prepare"
            prepared.write_text(_prepare(folder, made, without, setup))
            prefix = ("unshare", "--mount", "--propagation", "private", "sh", str(prepared))
            return Machine(stack.enter_context(sshd(folder, prefix=prefix)))

        yield make


@functools.cache
def can_overlay() -> bool:
    """Whether folders of this machine can be seen through an overlay in memory."""
    script = (
        "mount -t tmpfs none /mnt && mkdir /mnt/upper /mnt/work && "
        "mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc"
    )
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def _prepare(folder: Path, tools: Path, without: tuple[str, ...], setup: str) -> str:
    """A script that lays the overlays and becomes its words."""
    lines = [
        "set -e",
        "mount -t tmpfs none /mnt",
        "mkdir /mnt/real && cp -a /usr/bin/setsid /usr/bin/taskset /mnt/real",
    ]
    for name in OVERLAID:
        flat = name.replace("/", "-")
        lines += [
            f"mkdir -p /mnt/upper/{flat} /mnt/scratch/{flat}",
            f"mount -t overlay overlay -o lowerdir=/{name},upperdir=/mnt/upper/{flat},workdir=/mnt/scratch/{flat} /{name}",
        ]
    lines += [f"mount --bind {shlex.quote(str(tools))} /usr/local/sbin"]
    lines += [f"rm -f /usr/bin/{one} /usr/sbin/{one}" for one in without]
    return "\n".join((*lines, f"( {setup}\n)", 'exec "$@"', ""))
