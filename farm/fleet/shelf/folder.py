"""The artifact storage in a folder that all machines have."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from pathlib import Path

from farm.files import PRIVATE_FOLDER, digest_path, private_folder, write_atomic
from farm.fleet.shelf.base import LostError, Shelf, ShelfError

BLOCK_BYTES = 1 << 20
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
EXAMPLE = "--artifacts file:///mnt/farm-artifacts, a folder that all machines of the fleet have"


class FolderShelf(Shelf):
    """See `Shelf`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def url(self) -> str:
        return self._root.as_uri()

    def make(self) -> None:
        """Makes its folder, where the one above is there."""
        try:
            self._root.mkdir(PRIVATE_FOLDER, exist_ok=True)
        except OSError as error:
            raise self._error(error) from error

    def put(self, path: Path, sha256: str) -> None:
        """See `Shelf`."""
        kept = digest_path(self._root, sha256)
        if _is_of_size(kept, path):
            return
        temporary = kept.with_name(f".{sha256[:16]}.{secrets.token_hex(4)}")
        try:
            self._require_root()
            private_folder(kept.parent)
            found = _copied(path, temporary)
            if found != sha256:
                raise LostError(f"{path} changed while it was read", hint="submit again")
            temporary.replace(kept)
        except OSError as error:
            raise self._error(error) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def put_bytes(self, data: bytes) -> str:
        """See `Shelf`."""
        sha256 = hashlib.sha256(data).hexdigest()
        kept = digest_path(self._root, sha256)
        try:
            self._require_root()
            private_folder(kept.parent)
            write_atomic(kept, data)
        except OSError as error:
            raise self._error(error) from error
        return sha256

    def _copy(self, sha256: str, to: Path) -> str:
        return _copied(self._there(sha256), to)

    def _read(self, sha256: str, most_bytes: int) -> bytes:
        try:
            with self._there(sha256).open("rb") as stream:
                return stream.read(most_bytes)
        except OSError as error:
            raise self._error(error) from error

    def _there(self, sha256: str) -> Path:
        path = digest_path(self._root, sha256)
        self._require_root()
        if not path.exists():
            raise self._missing(sha256)
        return path

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


def _copied(path: Path, to: Path) -> str:
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
