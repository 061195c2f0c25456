"""`farm bench` of hostile devices beside an honest one, on a terminal, and what it left behind."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import termios
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.conftest import Farm
from tests.forked import Forked, Forks
from tests.hostile.attack import Attack
from tests.hostile.device import lab

RUN = "one"
PATIENCE_S = 280
ROWS, COLUMNS = 50, 200
# Short for those that say nothing; `reply` and `reconnect` also decide how long a lease lasts without a beat, which a
# busy machine sends late.
LIMITS = (
    *("--reconnect", "3", "--round-limit", "12", "--wait", "2"),
    *(
        word
        for name, seconds in (("connect", 10), ("login", 10), ("agent-start", 15), ("reply", 60), ("work", 15), ("transfer-stall", 5), ("read-log", 60))
        for word in ("--deadline", f"{name}={seconds}")
    ),
)  # fmt: skip
WORDS = (
    *("bench", "--model", "bundled:tiny", "--rounds", "1", "--run-id", RUN, "--profile", "p.json"),
    *("--profile-rounds", "1", "--no-ceilings", "--check", "outputs", *LIMITS),
)


@dataclass(frozen=True)
class Benched:
    """`said` is what came to the terminal. `peak_bytes` is the memory of the controller and of all its processes;
    `before` and `after` are the paths below its folder.
    """

    code: int
    said: bytes
    peak_bytes: int
    before: frozenset[Path]
    after: frozenset[Path]
    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "runs" / RUN


async def bench(attacks: Sequence[Attack], folder: Path, forks: Forks, *, first: str = "") -> Benched:
    """All of them at once, after a bench of the device `first` alone. One that does not end is killed and fails the test."""
    farm = Farm(folder, forks)
    devices, temporary = folder / "devices", folder / "tmp"
    devices.mkdir()
    temporary.mkdir()
    environment = farm.environment | {"TMPDIR": str(temporary), "TERM": "xterm-256color"}
    environment.pop("COLUMNS")
    async with lab(attacks, devices) as running:
        call = (*WORDS, "--inventory", str(running.inventory))
        if first:
            done = forks.start((*call, "--devices", first, "--run-id", "before"), cwd=folder, env=environment)
            await asyncio.to_thread(done.communicate, PATIENCE_S)
        before = paths(folder)
        with _terminal() as (ours, theirs):
            process = forks.start(call, cwd=folder, env=environment, terminal=theirs)
            os.close(theirs)
            reading = asyncio.create_task(asyncio.to_thread(_read, ours))
            peak_bytes = await asyncio.to_thread(_watch, process)
            said = await reading
        after = paths(folder)
    assert process.returncode is not None
    return Benched(process.returncode, said, peak_bytes, before, after, folder)


def paths(folder: Path) -> frozenset[Path]:
    """All below a folder, but for what the honest device and the shared runtimes have."""
    found = set()
    for where, names, files in os.walk(folder):
        at = Path(where)
        names[:] = [name for name in names if not name.startswith("farm-sim-") and name != "runtimes"]
        found |= {at / name for name in (*names, *files)}
    return frozenset(found)


@contextlib.contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def _read(terminal: int) -> bytes:
    said = bytearray()
    with contextlib.suppress(OSError):  # the other side is closed
        while piece := os.read(terminal, 1 << 16):
            said += piece
    return bytes(said)


def _watch(process: Forked) -> int:
    """Wait for it; the most memory that its session had, looked at 20 times a second."""
    peak, ended = 0, threading.Event()

    def look() -> None:
        nonlocal peak
        while not ended.wait(0.05):
            peak = max(peak, _memory_bytes(process.pid))

    watching = threading.Thread(target=look)
    watching.start()
    try:
        process.wait(PATIENCE_S)
    except TimeoutError:
        process.kill()
        process.wait()
        raise
    finally:
        ended.set()
        watching.join()
    return peak


def _memory_bytes(session: int) -> int:
    """Of all processes of a session. Pages that they share count for each."""
    kib = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                if os.getsid(int(entry.name)) == session:
                    status = Path(entry.path, "status").read_text()
                    kib += sum(
                        int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")
                    )
    return kib * 1024
