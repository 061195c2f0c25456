"""Whether who holds a device was a run of this user that is no more: then its lease need not run out.

A run holds a lock on a file of its own in the user's cache, named after it, for as long as its process lives;
the kernel gives the lock back however the process ends. A name that has no such file here is somebody else's.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import threading
import time
from pathlib import Path

from farm import resources
from farm.user import own_user

FORGOTTEN_S = 86_400.0

_held: dict[str, int] = {}
_guard = threading.Lock()


def own_name(work: str) -> str:
    """The name under which this process holds devices for some work."""
    return f"{own_user()}@{socket.gethostname()} pid {os.getpid()} {work}"


def hold(holder: str) -> None:
    """From now until this process ends, `is_gone` says no to this name. Without a cache nothing is held, and
    a later run waits for the lease as anybody does.
    """
    with _guard, contextlib.suppress(OSError):
        if holder in _held:
            return
        path = _path(holder)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Not flock: a child that outlives this process would go on holding it.
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        _held[holder] = descriptor


def holds(holder: str) -> bool:
    """Whether this process holds devices under this name."""
    return holder in _held


def is_gone(holder: str) -> bool:
    """Whether this was a run of ours whose process has ended: what it holds it could not give back."""
    with _guard, contextlib.suppress(OSError):
        return holder not in _held and _is_free(_path(holder))
    return False


def _path(holder: str) -> Path:
    name = hashlib.sha256(holder.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return resources.cache_folder() / "holders" / name


def _is_free(path: Path) -> bool:
    """Raises OSError where there is no such file, or somebody has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
    return True


def _sweep(folder: Path) -> None:
    """What former runs left, once no lease can be theirs any more."""
    ours = {_path(holder) for holder in _held}
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if path not in ours and time.time() - path.stat().st_mtime > FORGOTTEN_S and _is_free(path):
                path.unlink()
