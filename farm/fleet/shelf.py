"""The artifact storage that all machines of a fleet share: files by their digest, in a folder.

A file is there whole or not at all, and its digest is looked at each time that it is taken.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from farm.errors import RequestError, RunError
from farm.files import PRIVATE_FOLDER, digest_path, private_folder
from farm.model.limits.deadlines import Deadlines

T = TypeVar("T")
BLOCK_BYTES = 1 << 20
PAUSE_S = 2.0
"""Between two tries of a storage that is away or full."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
EXAMPLE = "--artifacts file:///mnt/farm-artifacts, a folder that all machines of the fleet have"


class ShelfError(RunError):
    """The storage cannot take or give a file now; it may later."""


class LostError(RunError):
    """A file is not there, or is not what its digest says: trying again does not help."""


class Shelf:
    """See the module. Its calls block: not for an event loop's thread."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def url(self) -> str:
        return self._root.as_uri()

    def make(self) -> None:
        """Make its folder, where the one above is there: for who begins a fleet. Raises RunError."""
        try:
            self._root.mkdir(PRIVATE_FOLDER, exist_ok=True)
        except OSError as error:
            raise self._error(error) from error

    def put(self, path: Path, sha256: str) -> None:
        """Keep a file of this digest. Raises ShelfError, LostError when the file is another one by now."""
        kept = digest_path(self._root, sha256)
        if _is_of_size(kept, path):
            return
        temporary = kept.with_name(f".{sha256[:16]}.{secrets.token_hex(4)}")
        try:
            self._require_root()
            private_folder(kept.parent)
            found = _copy(path, temporary)
            if found != sha256:
                raise LostError(f"{path} changed while it was read", hint="submit again")
            temporary.replace(kept)
        except OSError as error:
            raise self._error(error) from error
        finally:
            temporary.unlink(missing_ok=True)

    def put_bytes(self, data: bytes) -> str:
        """Keep these bytes; their digest. Raises ShelfError."""
        sha256 = hashlib.sha256(data).hexdigest()
        kept = digest_path(self._root, sha256)
        temporary = kept.with_name(f".{sha256[:16]}.{secrets.token_hex(4)}")
        try:
            self._require_root()
            private_folder(kept.parent)
            temporary.write_bytes(data)
            temporary.replace(kept)
        except OSError as error:
            raise self._error(error) from error
        finally:
            temporary.unlink(missing_ok=True)
        return sha256

    def get(self, sha256: str, to: Path, *, executable: bool = False) -> None:
        """Copy a file to a place, whose folder is made. Raises ShelfError, LostError."""
        temporary = to.with_name(f".{to.name[:100]}.{secrets.token_hex(4)}")
        try:
            private_folder(to.parent)
            if _copy(self._there(sha256), temporary) != sha256:
                raise self._other(sha256)
            temporary.chmod(0o700 if executable else 0o600)
            temporary.replace(to)
        except OSError as error:
            raise self._error(error) from error
        finally:
            temporary.unlink(missing_ok=True)

    def get_bytes(self, sha256: str, most_bytes: int) -> bytes:
        """A small file. Raises ShelfError, LostError for one that is missing, larger or another one."""
        try:
            with self._there(sha256).open("rb") as stream:
                data = stream.read(most_bytes + 1)
        except OSError as error:
            raise self._error(error) from error
        if len(data) > most_bytes or hashlib.sha256(data).hexdigest() != sha256:
            raise self._other(sha256)
        return data

    def _there(self, sha256: str) -> Path:
        path = digest_path(self._root, sha256)
        self._require_root()
        if not path.exists():
            raise LostError(
                f"{self.url} does not have the file {sha256[:12]}",
                hint="was it removed, or is another --artifacts meant? Submit again",
            )
        return path

    def _other(self, sha256: str) -> LostError:
        return LostError(
            f"{self.url} has another file under the digest {sha256[:12]}",
            hint="remove it there; submit again",
        )

    def _require_root(self) -> None:
        """A folder that is not mounted is no empty storage. Raises OSError."""
        if not self._root.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._root))

    def _error(self, error: OSError) -> ShelfError:
        if error.errno in FULL:
            return ShelfError(f"the artifact storage {self.url} is full", hint="make room there")
        return ShelfError(
            f"the artifact storage {self.url} cannot be used: {error.strerror or error}", hint=EXAMPLE
        )


def shelf_of(url: str) -> Shelf:
    """Raises RequestError for what is no folder's URL."""
    parts = urlsplit(url)
    if parts.scheme in {"s3", "gs", "az", "http", "https"}:
        raise RequestError(
            f"--artifacts: {parts.scheme}:// is not there in this version of farm", hint=EXAMPLE
        )
    if parts.scheme not in {"", "file"} or parts.netloc not in {"", "localhost"}:
        raise RequestError(f"--artifacts: {parts.scheme or parts.netloc} is no folder", hint=EXAMPLE)
    path = unquote(parts.path) if parts.scheme else url
    if not path:
        raise RequestError("--artifacts is empty", hint=EXAMPLE)
    return Shelf(Path(path).absolute())


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


def _copy(path: Path, to: Path) -> str:
    """Copy to a new file, on the disk; its digest. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as source, to.open("xb") as target:
        while block := source.read(BLOCK_BYTES):
            digest.update(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest()


def _is_of_size(kept: Path, path: Path) -> bool:
    try:
        return kept.stat().st_size == path.stat().st_size
    except OSError:
        return False
