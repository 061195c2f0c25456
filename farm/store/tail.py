"""A journal as it grows, for who only looks: every line is read once, in pieces of a bounded size."""

from __future__ import annotations

import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from farm.errors import RequestError
from farm.model.journal import Event
from farm.store.journal import Lines

PIECE_BYTES = 8 << 20
"""Read at once. A longer line (a round of some 100,000 iterations has 2 MiB) is left out."""

MARK_BYTES = 64
"""Of the end of what was read: they tell whether the file is still the one that was read."""


@dataclass(frozen=True)
class Piece:
    """What came since the last piece. `is_anew`: the file was replaced or cut, all of before counts no more.
    `behind_bytes` are still to be read, `left_out` are lines that could not be. `has_writer`: the controller
    lives, or it cannot be known.
    """

    events: tuple[Event, ...]
    is_anew: bool
    behind_bytes: int
    left_out: int
    has_writer: bool


class Tail:
    """Not for several threads at a time. Keeps no file open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._began = False
        self._begin(None)

    def _begin(self, identity: tuple[int, int] | None) -> None:
        self._identity = identity
        self._at = 0
        self._size = -1
        self._mark = b""
        self._is_inside = False
        self._lines = Lines(self._path)

    def read(self) -> Piece:
        """The next piece. Raises OSError where there is no such file, RequestError for what is none (a link
        is not followed) and for a version that this farm does not know.
        """
        handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise RequestError(f"{self._path.name} is no file")
            is_anew = self._is_another(handle, found) or not self._began
            if is_anew:
                self._begin((found.st_dev, found.st_ino))
                self._began = True
            has_writer = _has_writer(handle)  # asked first: what it writes from now on may be missed
            events, left_out = self._events(handle, found.st_size)
            return Piece(events, is_anew, self._behind(found.st_size), left_out, has_writer)
        finally:
            os.close(handle)

    def _is_another(self, handle: int, found: os.stat_result) -> bool:
        if self._identity != (found.st_dev, found.st_ino) or found.st_size < self._at:
            return True
        return os.pread(handle, len(self._mark), self._at - len(self._mark)) != self._mark

    def _behind(self, size_bytes: int) -> int:
        """The half line at the end of all is not waited for."""
        return 0 if self._size == size_bytes else max(0, size_bytes - self._at)

    def _events(self, handle: int, size_bytes: int) -> tuple[tuple[Event, ...], int]:
        if size_bytes == self._size:  # nothing came but, perhaps, half a line
            return (), 0
        data = os.pread(handle, PIECE_BYTES, self._at)
        end = data.rfind(b"\n") + 1
        if not end and len(data) < PIECE_BYTES:
            self._size = size_bytes
            return (), 0
        used = data[:end] if end else data
        whole = [one + b"\n" for one in used[:-1].split(b"\n")] if end else []
        left_out = 0
        if self._is_inside and whole:
            whole = whole[1:]
            self._is_inside = False
        if not end:
            left_out, self._is_inside = int(not self._is_inside), True
        self._at += len(used)
        self._mark = (self._mark + used)[-MARK_BYTES:]
        events, damaged = self._read(whole)
        if self._at + (len(data) - len(used)) >= size_bytes:
            self._size = size_bytes
        return events, left_out + damaged

    def _read(self, lines: list[bytes]) -> tuple[tuple[Event, ...], int]:
        events: list[Event] = []
        damaged = 0
        for line in lines:
            try:
                events.append(self._lines.event(line))
            except (ValueError, RecursionError):
                damaged += bool(line.strip())
        return tuple(events), damaged


def _has_writer(handle: int) -> bool:
    """As farm.store.journal.has_writer. The lock is given back at once: who begins to write waits for it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(handle, fcntl.LOCK_UN)
    except OSError:
        return True
    return False
