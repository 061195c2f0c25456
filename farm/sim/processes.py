"""Processes of a simulated device: all that have its home folder as HOME, and those below its SSH servers."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path


def ours(home: Path) -> Iterator[int]:
    """Processes that run on the device, but not this one."""
    mark = b"HOME=" + os.fsencode(home)
    for pid in _all():
        with contextlib.suppress(OSError):
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if pid != os.getpid() and (mark in variables or _is_below(pid, home)):
                yield pid


def _is_below(pid: int, home: Path) -> bool:
    """Whether it works in a folder of the device, removed ones included."""
    folder = os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115 - as it is written, links unresolved
    return os.fsencode(folder + "/").startswith(os.fsencode(f"{home}/"))


def agents(home: Path, role: str = "serve") -> list[int]:
    """Processes of the agent's script that were started for this: `serve` or `supervise`."""
    return [pid for pid in ours(home) if _role(pid) == role]


def _role(pid: int) -> str | None:
    match _read(pid, "cmdline").split(b"\0"):
        case [_, script, role, *_] if script.endswith(b".sh"):
            return role.decode("ascii", "replace")
        case [_, b"-c", _, b"farm", role, *_]:  # the one that became an agent: see `farm.device.start`
            return role.decode("ascii", "replace")
    return None


def servers(home: Path) -> list[int]:
    """The SSH server's processes that the device's agents hang on."""
    parents = {pid: _parent(pid) for pid in _all()}
    found = set()
    for pid in agents(home):
        above = parents.get(pid, 0)
        while above > 1:
            if _read(above, "comm").startswith(b"sshd"):
                found.add(above)
            above = parents.get(above, 0)
    return sorted(found)


def below(pid: int) -> list[int]:
    """All descendants."""
    children: dict[int, list[int]] = {}
    for one in _all():
        children.setdefault(_parent(one), []).append(one)
    found, todo = [], [pid]
    while todo:
        here = children.get(todo.pop(), [])
        found += here
        todo += here
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """The signal to each that still is there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def is_alive(pid: int) -> bool:
    """Whether it runs; one that waits for its parent does not."""
    return _read(pid, "stat").rpartition(b") ")[2][:1] not in {b"", b"Z", b"X"}


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names alone


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(b") ")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
