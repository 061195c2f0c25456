"""One process at a time: for what has a file of its own in the folder of the runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from farm.errors import RequestError, RunError
from farm.files import private_folder


@contextmanager
def alone(lock_path: Path, what: str, hint: str) -> Iterator[None]:
    """Raises RequestError, which says that `what` goes on already, while another process holds the lock;
    RunError for disk errors. Nobody is waited for, and a process that dies holds it no more.
    """
    lock = FileLock(lock_path, timeout=0)
    try:
        private_folder(lock_path.parent)
        lock.acquire()
    except Timeout as error:
        raise RequestError(f"{what} goes on already", hint=hint) from error
    except OSError as error:
        raise RunError(f"cannot write {error.filename or lock_path.parent}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
