"""The inventory of a lab where the user wants it, and its host keys in the known_hosts beside it.

When the lab ends both are as they were before; what others have written into known_hosts stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from farm.errors import RequestError, RunError
from farm.files import SHARED_FILE, write_atomic
from farm.model.device import KNOWN_HOSTS

MARK = b"# Written by farm sim up; gone when it ends.\n"
TURN_S = 10.0
TRY_AGAIN_S = 0.05
ANOTHER = "take another --output"


class Published:
    """The inventory at `output`, with the lines of host keys beside it: from `publish` until `withdraw`.

    Both block, so they are not for an event loop; `withdraw` may be called whatever `publish` came to.
    """

    def __init__(self, output: Path, inventory: Path, host_keys: Iterable[str]) -> None:
        self.output = output
        self.known_hosts = output.parent / KNOWN_HOSTS
        self._inventory = inventory
        self._lines = [line.encode() for line in host_keys]
        self._stream: BinaryIO | None = None

    def publish(self) -> None:
        """Raises RequestError where there is a file of somebody else's, or of a lab that runs, and RunError
        for disk errors.
        """
        with _told(self.output), _turn(self.output.parent):
            self._stream = _take(self.output, MARK + self._inventory.read_bytes())
            _change(self.known_hosts, add=self._lines)

    def withdraw(self) -> None:
        """Raises RunError for disk errors."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        with stream, _told(self.output), contextlib.suppress(FileNotFoundError), _turn(self.output.parent):
            if os.path.samestat(self.output.stat(), os.fstat(stream.fileno())):
                self.output.unlink()
            _change(self.known_hosts, remove=self._lines)


def _take(output: Path, data: bytes) -> BinaryIO:
    """Write it; what is returned holds the lock that says that its lab runs."""
    with contextlib.suppress(FileNotFoundError), output.open("rb") as there:
        if there.read(len(MARK)) != MARK:
            raise RequestError(f"{output} is there, and not of farm sim", hint=ANOTHER)
        if not _lock(there):
            raise RequestError(f"{output} is of another lab, which runs", hint=ANOTHER)
    write_atomic(output, data, mode=SHARED_FILE, is_synced=False)
    stream = output.open("rb")
    _lock(stream)
    return stream


def _lock(stream: BinaryIO) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _change(known_hosts: Path, add: Iterable[bytes] = (), remove: Iterable[bytes] = ()) -> None:
    """A line that has another key of the same address and port is of a lab that was killed."""
    before = known_hosts.read_bytes() if known_hosts.exists() else b""
    new, old = list(add), set(remove)
    names = {line.split(b" ", 1)[0] for line in new}
    kept = [line for line in before.splitlines() if line not in old and line.split(b" ", 1)[0] not in names]
    data = b"".join(line + b"\n" for line in (*kept, *new))
    if data:
        target = known_hosts.resolve()
        mode = target.stat().st_mode & 0o777 if target.exists() else SHARED_FILE
        write_atomic(target, data, mode=mode, is_synced=False)
    else:
        known_hosts.unlink(missing_ok=True)


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """One lab at a time changes the files of a folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        until = time.monotonic() + TURN_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise RunError(f"{folder} is in use by another farm sim", hint=ANOTHER) from None
                time.sleep(TRY_AGAIN_S)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _told(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write {error.filename or output}: {error.strerror or error}", hint=ANOTHER
        ) from error
