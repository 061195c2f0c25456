"""What the artifact storage of a fleet can do, wherever it is: files by their digest.

A file is there whole or not at all, and its digest is looked at each time that it is taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from farm.errors import RunError
from farm.files import private_folder
from farm.model.limits.deadlines import Deadlines
from farm.visible import one_line

T = TypeVar("T")
DIGEST = re.compile(r"[0-9a-f]{64}\Z")
PAUSE_S = 2.0
"""Between two tries of a storage that is away or full."""


class ShelfError(RunError):
    """The storage cannot take or give a file now; it may later."""


class LostError(RunError):
    """A file is not there, or is not what its digest says: trying again does not help."""


def require_digest(sha256: str) -> None:
    """What is no digest is a path: it could lead anywhere. Raises LostError."""
    if not DIGEST.match(sha256):
        raise LostError(f"{one_line(sha256, 64)!r} is no digest of a file", hint="submit again")


class Shelf(ABC):
    """See the module. Its calls block: not for an event loop's thread."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Without any secret."""

    @abstractmethod
    def make(self) -> None:
        """Make it, or see that it can be used: for who begins a fleet. Raises RunError."""

    @abstractmethod
    def put(self, path: Path, sha256: str) -> None:
        """Keep a file of this digest. Raises ShelfError, LostError when the file is another one by now."""

    @abstractmethod
    def put_bytes(self, data: bytes) -> str:
        """Keep these bytes; their digest. Raises ShelfError."""

    def get(self, sha256: str, to: Path, *, executable: bool = False) -> None:
        """Copy a file to a place, whose folder is made. Raises ShelfError, LostError."""
        require_digest(sha256)
        temporary = to.with_name(f".{to.name[:100]}.{secrets.token_hex(4)}")
        try:
            private_folder(to.parent)
            if self._copy(sha256, temporary) != sha256:
                raise self._other(sha256)
            temporary.chmod(0o700 if executable else 0o600)
            temporary.replace(to)
        except OSError as error:
            raise self._error(error) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def get_bytes(self, sha256: str, most_bytes: int) -> bytes:
        """A small file. Raises ShelfError, LostError for one that is missing, larger or another one."""
        require_digest(sha256)
        data = self._read(sha256, most_bytes + 1)
        if len(data) > most_bytes or hashlib.sha256(data).hexdigest() != sha256:
            raise self._other(sha256)
        return data

    @abstractmethod
    def _copy(self, sha256: str, to: Path) -> str:
        """Write a file that is kept to a new place, on the disk; the digest of what was written. Raises
        OSError, ShelfError, LostError.
        """

    @abstractmethod
    def _read(self, sha256: str, most_bytes: int) -> bytes:
        """The first bytes of a file that is kept. Raises ShelfError, LostError."""

    @abstractmethod
    def _error(self, error: OSError) -> ShelfError:
        """What an error of a file means."""

    def _missing(self, sha256: str) -> LostError:
        return LostError(
            f"{self.url} does not have the file {sha256[:12]}",
            hint="was it removed, or is another --artifacts meant? Submit again",
        )

    def _other(self, sha256: str) -> LostError:
        return LostError(
            f"{self.url} has another file under the digest {sha256[:12]}",
            hint="remove it there; submit again",
        )


async def patiently(work: Callable[[], T], note: Callable[[str], None], deadlines: Deadlines) -> T:
    """What a storage is to do, in a thread, tried until the deadline `artifacts`. Raises RunError."""
    ends = asyncio.get_running_loop().time() + deadlines.artifacts_s
    told = ""
    while True:
        try:
            return await asyncio.to_thread(work)
        except ShelfError as error:
            if asyncio.get_running_loop().time() >= ends:
                raise RunError(
                    f"{error.message}; not {deadlines.ran_out('artifacts')}", hint=error.hint
                ) from error
            if error.message != told:
                told = error.message
                note(f"waits: {told}")
        await asyncio.sleep(PAUSE_S)
