"""The files of SSH (configuration, keys, known hosts), read in one thread at a time.

They are small and there are some for each device: in more threads those of a hundred devices cost twice the
processor time, for these wait for one another's turn at Python, not for the disk.
"""

from __future__ import annotations

import asyncio
import errno
import stat
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from farm.errors import Fault
from farm.transport.faults import Peer, failure

T = TypeVar("T")
P = ParamSpec("P")

TURN_S = 2.0
"""Who has not had its turn by then waits no longer: the file of another may lie on a disk that is gone."""


class _Turns:
    """Works through what waits, in a thread of the event loop's, which is given back when nothing does."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._is_working = False
        self._lock = threading.Lock()
        self.is_stuck = False
        """What is read now takes so long that nobody stands behind it any more."""

    def add(self, work: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            self._waiting.append((future, work))
            starts, self._is_working = not self._is_working, True
        if starts:
            asyncio.get_running_loop().run_in_executor(None, self._work)
        return future

    def give_up(self) -> None:
        with self._lock:
            self.is_stuck = self._is_working

    def _work(self) -> None:
        while True:
            with self._lock:
                self.is_stuck = False
                if not self._waiting:
                    self._is_working = False
                    return
                future, work = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # noqa: BLE001 - who waits for it gets it
                    future.set_exception(error)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()


@asynccontextmanager
async def in_time(limit_s: float, peer: Peer) -> AsyncIterator[None]:
    """For what reads files, whose disk may be gone. Raises DeviceError `ssh-files` when it takes longer."""
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as error:
        text = f"SSH's own files were not read for {{title}} within {limit_s:g} s (deadline ssh-files)"
        hint = f"is their disk there (ls -l ~/.ssh)? or longer: --deadline ssh-files={2 * limit_s:g}"
        raise failure(peer, "ssh-files", Fault.USER, text, hint=hint) from error


def require_no_pipe(path: Path) -> None:
    """It would be waited for without an end. Raises OSError, also where there is no such file."""
    if stat.S_ISFIFO(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is a pipe, not a file")


async def in_turn(work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """As `asyncio.to_thread`, in the order of the calls. Raises what `work` does."""
    turns = _turns.setdefault(asyncio.get_running_loop(), _Turns())
    if turns.is_stuck:
        return await asyncio.to_thread(work, *args, **named)
    queued = turns.add(partial(work, *args, **named))
    future = asyncio.wrap_future(queued)
    try:
        await asyncio.wait((future,), timeout=TURN_S)
    except asyncio.CancelledError:
        if not future.cancel() and not future.cancelled():
            future.exception()  # nobody else asks for it any more
        raise
    if queued.cancel():
        turns.give_up()
        return await asyncio.to_thread(work, *args, **named)
    return await future
