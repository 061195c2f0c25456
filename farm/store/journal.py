"""The journal of a run: what happened, one JSON object a line, each with its checksum, on disk at once.

Its writer holds a lock on it for as long as it lives: who finds the lock free knows that the controller is
gone, also after a restart of the machine or in another container, where process ids say nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self
from zlib import crc32

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json

from farm.errors import RequestError
from farm.model.journal import JOURNAL_VERSION, Begin, Event
from farm.visible import changed, one_line, writable

JOURNAL = "journal.jsonl"
LOCK_WAIT_S = 2.0
LONGEST_LOSS = 200
MOST_LOSSES = 5


@cache
def _events() -> TypeAdapter[Event]:
    return TypeAdapter(Annotated[Event, Field(discriminator="event")])


_CHECKSUM = b',"crc32":"'


def prepare() -> None:
    """Make what lines are written with, which takes 20 ms: while a device logs in nobody waits for it."""
    _events()


UPGRADES: dict[int, Callable[[dict[str, Any]], None]] = {}
"""By version: the upgrade of one event to the next version, in place. tests/data/runs has a run of each."""


def line_of(event: Event) -> bytes:
    """An event as its line. The checksum is that of the line without it."""
    try:
        text = _events().dump_json(event)
    except PydanticSerializationError:  # half characters
        text = _events().dump_json(changed(event, writable))
    return _with_checksum(text)


def _with_checksum(text: bytes) -> bytes:
    return text[:-1] + _CHECKSUM + b'%08x"}\n' % crc32(text)


def event_of(line: bytes) -> Event:
    """An event of this version from its line, without the line's end. Raises ValueError for what is none."""
    return _event(_value(line + b"\n"), JOURNAL_VERSION)


class JournalFile:
    """The journal of a run, open for appending and locked. Not for several threads at a time."""

    def __init__(self, path: Path, handle: int) -> None:
        """Lock it. Raises BlockingIOError when another process has it."""
        self._path = path
        self._handle = handle
        self._is_torn = False
        self._is_open = True
        # A forked worker that outlives its killed controller would keep the lock.
        os.register_at_fork(after_in_child=self.close)
        try:
            _lock(handle)
        except BaseException:
            self.close()
            raise

    @classmethod
    def begin(cls, path: Path, run_id: str) -> Self:
        """Make it and write its first line. Raises OSError."""
        file = cls(path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600))
        try:
            begin = Begin(version=JOURNAL_VERSION, run_id=run_id)
            file.append(_with_checksum(TypeAdapter(Begin).dump_json(begin)))  # the others can come later
            _sync_folder(path.parent)
        except BaseException:
            file.close()
            raise
        return file

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """One that a former process wrote: what it left half written stays a line of its own.

        Raises OSError; BlockingIOError when that process lives.
        """
        file = cls(path, os.open(path, os.O_RDWR | os.O_APPEND))
        size = os.fstat(file._handle).st_size
        file._is_torn = size > 0 and os.pread(file._handle, 1, size - 1) != b"\n"
        return file

    def append(self, lines: bytes) -> None:
        """Lines on the disk when this returns. Raises OSError; later lines are not harmed by half of one."""
        left = memoryview(b"\n" + lines if self._is_torn else lines)
        self._is_torn = True
        try:
            while left:
                left = left[os.write(self._handle, left) :]
            os.fsync(self._handle)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        self._is_torn = False

    def close(self) -> None:
        """Close it and give up the lock."""
        if self._is_open:
            self._is_open = False
            os.close(self._handle)


def _lock(handle: int) -> None:
    """Take the lock; a reader that looks has it for a moment. A file system without locks goes without.

    Raises BlockingIOError when somebody has it for longer.
    """
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        except OSError:
            return
        else:
            return


def _sync_folder(path: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system can
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def has_writer(path: Path) -> bool:
    """Whether the controller that writes this journal lives; also true where it cannot be known."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError as error:
        return error.errno not in {errno.EACCES, errno.ENOTDIR}
    return False


@dataclass(frozen=True)
class Read:
    """A journal as it was read: its events in order, and what could not be read, for people."""

    events: tuple[Event, ...]
    losses: tuple[str, ...]


def read_journal(path: Path) -> Read:
    """Every whole line of a journal of any published version; the others are losses.

    Raises RequestError for a version that this farm does not know, OSError when the file cannot be read.
    """
    events: list[Event] = []
    damaged: list[str] = []
    lines = Lines(path)
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                events.append(lines.event(line))
            except ValueError as error:
                # The line that a kill cut short was not acknowledged to anyone: its round was not over.
                if line.endswith(b"\n") and line.strip():
                    damaged.append(
                        f"line {number} of {path.name} cannot be read: {one_line(str(error), LONGEST_LOSS)}"
                    )
    more = len(damaged) - MOST_LOSSES
    losses = (*damaged[:MOST_LOSSES], *([f"{more} more lines of {path.name}"] if more > 0 else []))
    return Read(tuple(events), losses)


class Lines:
    """What the lines of a journal say, one after the other: the first one has its version."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: int | None = None

    def event(self, line: bytes) -> Event:
        """Of the next line. Raises ValueError for a damaged one, RequestError for a version that this farm
        does not know.
        """
        is_first, version = self._version is None, self._version or JOURNAL_VERSION
        self._version = version
        value = _value(line)
        if is_first:
            self._version = version = _version(value, self._path)
        return _event(value, version)


def _value(line: bytes) -> dict[str, Any]:
    """The object of a line. Raises ValueError unless its checksum fits."""
    head, found, tail = line.rpartition(_CHECKSUM)
    text = head + b"}"
    if not found or tail != b'%08x"}\n' % crc32(text):
        raise ValueError("its checksum does not fit")
    value: dict[str, Any] = from_json(text)
    return value


def _version(first: dict[str, Any], path: Path) -> int:
    version = first.get("version")
    if first.get("event") != "begin" or not isinstance(version, int):
        raise ValueError("it does not say its version")
    if version not in {*UPGRADES, JOURNAL_VERSION}:
        raise RequestError(
            f"unsupported version {version}; this farm reads versions 1 to {JOURNAL_VERSION}",
            source=str(path),
            hint="use the version of farm that wrote it",
        )
    return version


def _event(value: dict[str, Any], version: int) -> Event:
    """Raises ValueError for what is no event."""
    for older in range(version, JOURNAL_VERSION):
        UPGRADES[older](value)
    try:
        return _events().validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
