"""The folder of runtimes on the controller: one writer at a time, every entry complete or absent.

    <root>/.lock                  held while anything is made or removed
    <root>/.staging-*             being made; leftovers of a killed farm are removed by the next one
    <root>/<project>-<version>-<digest>/lib/*.so, *.pack

<root> is `runtimes` in farm's cache folder.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from farm import resources
from farm.errors import RunError

Progress = Callable[[str, int, int | None], None]
"""(label, bytes done, total bytes where known). An exception from it stops the work cleanly."""

STAGING = ".staging-"
LOCK_POLL_S = 0.5
BIGGER = "set FARM_CACHE_DIR to a folder on a bigger disk"
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def default_root() -> Path:
    """`runtimes` in farm's cache folder."""
    return resources.cache_folder() / "runtimes"


@contextmanager
def staging(root: Path, progress: Progress) -> Iterator[Path]:
    """An empty folder on the same file system as `root`, under its lock; gone afterwards, whatever happens.

    Results are renamed out of it. Disk errors become RunError; SIGTERM unwinds like Ctrl-C.
    """
    try:
        with _sigterm_unwinds(), locked(root, progress):
            for stale in root.glob(STAGING + "*"):
                shutil.rmtree(stale, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=STAGING, dir=root))
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise disk_error(error, root) from error


@contextmanager
def locked(root: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock of `root`, which is made when missing; the system frees it when the process dies."""
    from filelock import FileLock, Timeout

    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / ".lock")
    while True:
        try:
            lock.acquire(timeout=LOCK_POLL_S)
            break
        except Timeout:
            progress("waiting for another farm process", 0, None)
    try:
        yield
    finally:
        lock.release()


def need_space(root: Path, needed_bytes: int) -> None:
    """Raises RunError when `root` has less free space than that."""
    from humanize import naturalsize

    root.mkdir(parents=True, exist_ok=True)
    free_bytes = shutil.disk_usage(root).free
    if free_bytes < needed_bytes:
        raise RunError(
            f"not enough disk space in {root}: "
            f"{naturalsize(needed_bytes)} needed, {naturalsize(free_bytes)} free",
            hint=f"free {naturalsize(needed_bytes - free_bytes)}, or {BIGGER}",
        )


def disk_error(error: OSError, root: Path) -> RunError:
    """The RunError for an error of the disk."""
    where = error.filename or root
    if error.errno in DISK_FULL:
        return RunError(
            f"disk full while installing the runtime in {root}; incomplete files were removed",
            hint=f"free 3 GB, or {BIGGER}",
        )
    return RunError(
        f"cannot install the runtime: {where}: {error.strerror or error}",
        hint="set FARM_CACHE_DIR to a writable folder",
    )


def publish(made: Path, final: Path, trash: Path) -> None:
    """Rename a finished folder or file into place; the old one goes to `trash`, a staging folder."""
    if final.exists():
        final.rename(trash / f"old-{final.name}")
    made.rename(final)
    sync(final.parent)


def sync(path: Path) -> None:
    """Flush a file or a folder's entries to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """Let SIGTERM clean up, unless the program has its own handler (or this is not the main thread)."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    ):
        yield
        return

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
