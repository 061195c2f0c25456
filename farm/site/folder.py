"""The folder of a site: files written whole or not at all, and only where they changed."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from farm.errors import RequestError, RunError
from farm.files import SHARED_FILE, sha256_of, write_atomic

MANIFEST = "SHA256SUMS"
LOCK = ".farm-site.lock"
SITE = "site.json"

_BLOCK_BYTES = 1 << 20
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


class UnreadableError(Exception):
    """What is to be copied cannot be read. The message is for people."""


class SiteFolder:
    """`digests` are those of all files that belong to the site now, by path in it; `written` counts those
    that were written. Every method raises RunError when the disk fails.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.digests: dict[str, str] = {}
        self.written = 0
        self._former = self._read_manifest()

    def read(self, name: str) -> bytes | None:
        """A file of the site; None where it is not there or cannot be read."""
        try:
            return (self.path / name).read_bytes()
        except OSError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """A file of the site, unless it is there with this content."""
        self.digests[name] = hashlib.sha256(data).hexdigest()
        path = self.path / name
        with _told(path):
            if not (_size(path) == len(data) and self.read(name) == data):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, data, mode=SHARED_FILE)
                self.written += 1

    def keep(self, name: str, sha256: str, size_bytes: int) -> bool:
        """Whether a file is there as it was written; then it stays. What the manifest lacks is read: a
        call was interrupted.
        """
        path = self.path / name
        if self._former.get(name, sha256) != sha256 or _size(path) != size_bytes:
            return False
        if name not in self._former and not _has(path, sha256):
            return False
        self.digests[name] = sha256
        return True

    def copy(self, source: Path, name: str) -> tuple[str, int]:
        """The digest and the size of a file that is copied into the site, unless it is there. A link is not
        followed: it could show what is no part of the run. Raises UnreadableError.
        """
        path = self.path / name
        with _opened(source) as stream, _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            try:
                sha256, size_bytes = _copied(stream, temporary)
                if _size(path) == size_bytes and _has(path, sha256):
                    temporary.unlink()
                else:
                    temporary.replace(path)
                    self.written += 1
            finally:
                temporary.unlink(missing_ok=True)
        self.digests[name] = sha256
        return sha256, size_bytes

    def gone(self) -> list[str]:
        """Files that belonged to the site and do not now."""
        return sorted(set(self._former) - set(self.digests))

    def remove(self, name: str) -> None:
        """With the folders that are empty then."""
        path = self.path / name
        with _told(path):
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self.path or any(folder.iterdir()):
                    break
                folder.rmdir()

    def write_manifest(self) -> None:
        """The digests of all files, as `sha256sum --check` reads them: the last that is written."""
        lines = (f"{sha256}  {name}\n" for name, sha256 in sorted(self.digests.items()))
        path = self.path / MANIFEST
        data = "".join(lines).encode()
        with _told(path):
            if self.read(MANIFEST) != data:
                write_atomic(path, data, mode=SHARED_FILE)
                self.written += 1

    def _read_manifest(self) -> dict[str, str]:
        text = (self.read(MANIFEST) or b"").decode("utf-8", "replace")
        found = (_LINE.fullmatch(line) for line in text.splitlines())
        return {line[2]: line[1] for line in found if line and _is_inside(line[2])}

    def sweep(self) -> None:
        """Remove what a farm that was killed had begun to write."""
        with _told(self.path):
            for folder, _, names in os.walk(self.path):
                for name in names:
                    if _TEMPORARY.fullmatch(name):
                        Path(folder, name).unlink(missing_ok=True)


@contextmanager
def opened(path: Path) -> Iterator[SiteFolder]:
    """The folder of a site, made where there is none, held against another farm. Raises RequestError where it
    holds something else, or another farm writes it; RunError when the disk fails.
    """
    with _told(path):
        path.mkdir(parents=True, exist_ok=True)
        names = {entry.name for entry in os.scandir(path)}
        if names and not names & {LOCK, MANIFEST}:
            raise RequestError(f"{path} is not empty, and no site", hint="use another --out")
        lock = FileLock(path / LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise RequestError(f"another farm writes {path}", hint="wait until it has ended") from error
    try:
        folder = SiteFolder(path)
        folder.sweep()
        yield folder
    finally:
        lock.release()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of the disk, told as what to do about them."""
    try:
        yield
    except OSError as error:
        place = error.filename or path
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(
                f"disk full: cannot write {place}: {error.strerror}",
                hint="free space on that disk and run it again: what is written stays",
            ) from error
        if isinstance(error, FileExistsError | NotADirectoryError):
            raise RequestError(f"cannot write {place}: {error.strerror}", hint="use another --out") from error
        raise RunError(f"cannot write {place}: {error.strerror}", hint="use another --out") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise UnreadableError(f"{path.name}: {error.strerror}") from error
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UnreadableError(f"{path.name} is no file")
        yield stream


def _copied(stream: BinaryIO, target: Path) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SHARED_FILE)
    with os.fdopen(handle, "wb") as copy:
        while block := _block(stream):
            digest.update(block)
            size_bytes += len(block)
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest(), size_bytes


def _block(stream: BinaryIO) -> bytes:
    try:
        return stream.read(_BLOCK_BYTES)
    except OSError as error:
        raise UnreadableError(str(error.strerror)) from error


def _has(path: Path, sha256: str) -> bool:
    try:
        return sha256_of(path) == sha256
    except OSError:
        return False


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and not {"", ".", ".."} & set(name.split("/"))
