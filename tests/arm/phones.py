"""A board as the scenarios of the agent see a device: `tests/agent` runs them on this machine."""

from __future__ import annotations

import posixpath
import shlex
import subprocess
from dataclasses import dataclass
from typing import Any

from tests.agent.shells import Phone
from tests.arm.board import Board


@dataclass(frozen=True)
class There:
    """A path on a board, with as much of pathlib's as scenarios use; each call is a login."""

    board: Board
    path: str

    def __str__(self) -> str:
        return self.path

    def __truediv__(self, name: str) -> There:
        return There(self.board, posixpath.join(self.path, name))

    def exists(self) -> bool:
        return self._told("[ -e {} ] && echo yes || true") != ""

    def touch(self) -> None:
        self._told(": >{}")

    def read_text(self) -> str:
        return self._told("cat {}")

    def read_bytes(self) -> bytes:
        return subprocess.run(
            self.board.ssh(f"cat {shlex.quote(self.path)}"), capture_output=True, check=True
        ).stdout

    def iterdir(self) -> list[There]:
        return [self / name for name in self._told("ls -A {}").splitlines()]

    def _told(self, command: str) -> str:
        return self.board.run(command.format(shlex.quote(self.path)))


@dataclass
class BoardPhone(Phone):
    """`folder` and what is below it are on the board; the agent is started as by a login."""

    board: Board = None

    def __post_init__(self) -> None:
        self.board.run(f"mkdir -p {self.folder} && cat >{self.folder}/agent.sh", self.script.read_bytes())

    def popen(
        self, *arguments: object, environment: dict[str, str] | None = None, **more: Any
    ) -> subprocess.Popen[bytes]:
        set_here = [f"{name}={value}" for name, value in {"HOME": self.folder, **(environment or {})}.items()]
        command = shlex.join(
            ("exec", "env", *set_here, "sh", f"{self.folder}/agent.sh", *map(str, arguments))
        )
        return subprocess.Popen(
            self.board.ssh(f"cd /; {command}"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more
        )

    def processes(self) -> dict[int, str]:
        """What runs for this working directory, the agents that answer requests left out."""
        told = self.board.run(
            "for p in /proc/[0-9]*; do l=$(cat $p/cmdline $p/environ 2>/dev/null | tr '\\0\\n' '  ') && "
            'echo "${p#/proc/} $l"; done'
        )
        lines = dict(line.partition(" ")[::2] for line in told.splitlines())
        return {
            int(pid): line
            for pid, line in lines.items()
            if str(self.workdir) in line and " serve " not in line
        }
