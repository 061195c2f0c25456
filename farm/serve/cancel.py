"""Ctrl-C for the process of a run: the one that holds the lock of its journal, if it is this user's."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from farm.errors import RequestError
from farm.store.journal import JOURNAL

LOCKS = Path("/proc/locks")


def cancel(folder: Path) -> int:
    """The number of the process that was interrupted. Its run ends as by Ctrl-C. Raises RequestError where
    there is none, or it is not ours.
    """
    try:
        journal = (folder / JOURNAL).lstat()
    except OSError as error:
        raise RequestError(f"{folder.name} has no journal: {error.strerror}") from error
    for pid in _holders(journal.st_ino):
        try:
            process = os.pidfd_open(pid)
        except OSError:
            continue
        try:
            # The number may be another process' by now; this descriptor is that of one alone.
            if _has_open(pid, journal):
                signal.pidfd_send_signal(process, signal.SIGINT)
                return pid
        except OSError as error:
            raise RequestError(f"cannot interrupt process {pid}: {error.strerror}") from error
        finally:
            os.close(process)
    raise RequestError(
        f"no process of this user on this machine writes {folder.name}",
        hint="it may be over, or another user's, or of another machine",
    )


def _holders(inode: int) -> Iterator[int]:
    """Processes that hold the lock of a file with this number. Raises RequestError."""
    try:
        lines = LOCKS.read_text("ascii", "replace").splitlines()
    except OSError as error:
        raise RequestError(
            f"this system does not tell who holds a lock: {LOCKS}: {error.strerror}"
        ) from error
    for line in lines:
        match line.split():
            case [_, "FLOCK", _, "WRITE", pid, place, *_] if place.endswith(f":{inode}") and pid.isdecimal():
                yield int(pid)
            case _:
                continue


def _has_open(pid: int, journal: os.stat_result) -> bool:
    """Whether a process of this user has the file open."""
    folder = Path(f"/proc/{pid}")
    try:
        if folder.stat().st_uid != os.getuid():
            return False
        handles = list((folder / "fd").iterdir())
    except OSError:
        return False
    return any(_is(handle, journal) for handle in handles)


def _is(handle: Path, journal: os.stat_result) -> bool:
    try:
        found = handle.stat()
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (journal.st_dev, journal.st_ino)
