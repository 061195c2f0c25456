"""What was pushed, kept on the controller by digest: a run can be had again when its build folder is gone.

    <root>/<aa>/<sha256>        the files; last used is their time of modification
    <root>/runs/<name>          one for each run that refers to files: the path of its manifest, then digests
    <root>/names/<digest>       one for each name of files: their digests, the last one at the end

A file is never a hard link to the user's: who overwrites that would overwrite what is kept.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from farm import resources
from farm.errors import RequestError
from farm.files import PRIVATE_FILE, digest_path, private_folder, sha256_of, write_atomic
from farm.model.artifact import Artifact
from farm.model.limits.disk import Portion, portion

SHARE = Portion(10, 20 << 30)
"""How much the store may hold: 10 % of the disk, at most 20 GiB."""

RESERVE = Portion(5, 1 << 30)
"""What stays free for results: nothing is kept that leaves less."""

VARIABLE = "FARM_KEPT_SHARE"
RUNS, NAMES = "runs", "names"
MOST_VERSIONS = 16
"""Of a name: so many digests are remembered."""

UNFINISHED_S = 86_400
"""After so long a copy that was begun is one of a farm that was killed."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FICLONE = 0x40049409
_BLOCK_BYTES = 1 << 20


class FullError(OSError):
    """There is no room for a file. The message says what takes it."""


class ChangedError(ValueError):
    """The file is not what it was when its digest was taken."""


@dataclass(frozen=True)
class Stored:
    """A file of the store. `used_at` is in seconds since 1970."""

    path: Path
    size_bytes: int
    used_at: float


@dataclass(frozen=True)
class Reference:
    """A run that refers to files of the store, by the path of its manifest."""

    path: Path
    manifest: Path
    digests: frozenset[str]


class KeptStore:
    """Safe for concurrent farms: files are written aside and renamed, and checked when they are used."""

    def __init__(self, root: Path, share: Portion = SHARE) -> None:
        self.root = root
        self.share = share

    @property
    def is_off(self) -> bool:
        """Whether the user wants nothing to be kept."""
        return 0 in (self.share.percent, self.share.most_bytes)

    def keep(self, artifact: Artifact, space: Space | None = None) -> None:
        """Keep a copy of a file; `space` is that of the files before it, where there are many. Raises
        ChangedError when it has another digest by now, FullError when there is no room beside what runs refer
        to, OSError when it cannot be read or written.
        """
        path = digest_path(self.root, artifact.sha256)
        if _has(path, artifact.size_bytes):
            os.utime(path)
            self._name(artifact)
            return
        private_folder(path.parent)
        space = space or Space(self)
        space.make(artifact.size_bytes)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            _copy(artifact.path, temporary)
            if sha256_of(temporary) != artifact.sha256:
                raise ChangedError(f"{artifact.path} was changed or removed after the run was planned")
            temporary.replace(path)
            space.taken(artifact.size_bytes)
        finally:
            temporary.unlink(missing_ok=True)
        self._name(artifact)

    def versions(self, name: str) -> tuple[Artifact, ...]:
        """Files that were kept under this name and are still here, the last one first; their bytes are not
        looked at. Raises OSError.
        """
        found = []
        for digest in reversed(self._named(name)):
            path = digest_path(self.root, digest)
            with contextlib.suppress(FileNotFoundError):
                found.append(Artifact(name, digest, path.stat().st_size, path))
        return tuple(found)

    def _name(self, artifact: Artifact) -> None:
        named = self._named(artifact.name)
        if named[-1:] == [artifact.sha256]:
            return
        known = [one for one in named if one != artifact.sha256]
        path = self._names(artifact.name)
        private_folder(path.parent)
        write_atomic(path, "\n".join((*known, artifact.sha256)[-MOST_VERSIONS:]).encode(), is_synced=False)

    def _named(self, name: str) -> list[str]:
        path = self._names(name)
        words = path.read_text("ascii", "replace").split() if path.exists() else []
        return [word for word in words if _DIGEST.fullmatch(word)]

    def _names(self, name: str) -> Path:
        return self.root / NAMES / hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def find(self, sha256: str) -> Path | None:
        """A kept file, if it is here and intact; one that was damaged is removed."""
        if not _DIGEST.fullmatch(sha256):
            return None
        path = digest_path(self.root, sha256)
        with contextlib.suppress(OSError):
            if sha256_of(path) == sha256:
                os.utime(path)
                return path
            path.unlink()
        return None

    def refer(self, manifest: Path, digests: Sequence[str]) -> None:
        """These files stay for as long as there is that manifest. Raises OSError."""
        place = os.fsencode(manifest.absolute())
        path = private_folder(self.root / RUNS) / hashlib.sha256(place).hexdigest()[:16]
        known = path.read_text("ascii").split() if path.exists() else [quote_from_bytes(place)]
        if not set(digests) <= set(known):
            write_atomic(path, "\n".join(dict.fromkeys((*known, *digests))).encode("ascii"))

    def references(self) -> tuple[Reference, ...]:
        """The runs that refer to files here; those that were removed are forgotten. Raises OSError."""
        found = []
        for path in _entries(self.root / RUNS):
            if path.name.startswith("."):
                continue  # being written
            place, *digests = path.read_text("ascii", "replace").split() or [""]
            manifest = Path(os.fsdecode(unquote_to_bytes(place)))
            if _is_gone(manifest):
                path.unlink(missing_ok=True)
            else:
                found.append(Reference(path, manifest, frozenset(digests)))
        return tuple(found)

    def stored(self) -> tuple[Stored, ...]:
        """All files, those that were used last at the end. Raises OSError."""
        found = []
        for folder in _entries(self.root):
            for path in _entries(folder) if folder.name not in (RUNS, NAMES) else ():
                with contextlib.suppress(FileNotFoundError):
                    state = path.stat()
                    found.append(Stored(path, state.st_size, state.st_mtime))
        return tuple(sorted(found, key=lambda one: one.used_at))

    def limit_bytes(self) -> int:
        """How much it may hold. Raises OSError."""
        return self.share.of(shutil.disk_usage(private_folder(self.root)).total) or 0

    def clean(self) -> int:
        """Remove what no run refers to; how many bytes that were. Raises OSError."""
        freed_bytes = 0
        for one in self.removable(self.stored()):
            one.path.unlink(missing_ok=True)
            freed_bytes += one.size_bytes
        return freed_bytes

    def removable(self, stored: Sequence[Stored]) -> list[Stored]:
        """What no run refers to, in the same order. Raises OSError."""
        referred = frozenset[str]().union(*(one.digests for one in self.references()))
        begun_before = time.time() - UNFINISHED_S
        return [
            one
            for one in stored
            if (
                one.used_at < begun_before if one.path.name.startswith(".") else one.path.name not in referred
            )
        ]


class Space:
    """Space in a store for files that are kept one after the other. What it holds is listed with the first of
    them, and when something has to go: to list it for each would take longer the more there are.
    """

    def __init__(self, store: KeptStore) -> None:
        self._store = store
        self._held_bytes: int | None = None

    def taken(self, size_bytes: int) -> None:
        """So much more is held now."""
        self._held_bytes = (self._held_bytes or 0) + size_bytes

    def make(self, size_bytes: int) -> None:
        """Remove what no run refers to, least recently used first, until there is room for a file. Raises
        FullError, with nothing removed, and OSError.
        """
        if self._held_bytes is None:
            self._held_bytes = sum(one.size_bytes for one in self._store.stored())
        if self._lacking_bytes(size_bytes) > 0:
            self._remove(size_bytes)

    def _lacking_bytes(self, size_bytes: int) -> int:
        disk = shutil.disk_usage(self._store.root)
        over_bytes = (self._held_bytes or 0) - self._store.limit_bytes()
        return size_bytes + max(over_bytes, (RESERVE.of(disk.total) or 0) - disk.free)

    def _remove(self, size_bytes: int) -> None:
        """And a hundredth of the store more, so that not each of many files needs a look at all."""
        stored = self._store.stored()
        self._held_bytes = sum(one.size_bytes for one in stored)
        lacking_bytes, limit_bytes = self._lacking_bytes(size_bytes), self._store.limit_bytes()
        if lacking_bytes <= 0:
            return  # another farm removed some
        removable = self._store.removable(stored)
        if sum(one.size_bytes for one in removable) < lacking_bytes:
            free_bytes = shutil.disk_usage(self._store.root).free
            why = _why_full(self._held_bytes, limit_bytes, free_bytes)
            raise FullError(errno.ENOSPC, why, str(self._store.root))
        freed_bytes = 0
        for one in removable:
            if freed_bytes >= lacking_bytes + limit_bytes // 100:
                break
            one.path.unlink(missing_ok=True)
            freed_bytes += one.size_bytes
        self.taken(-freed_bytes)


def _why_full(held_bytes: int, limit_bytes: int, free_bytes: int) -> str:
    from humanize import naturalsize

    return (
        f"no room: it holds {naturalsize(held_bytes)} of runs that are still there, of at most "
        f"{naturalsize(limit_bytes)} ({VARIABLE}), and the disk has {naturalsize(free_bytes)} free"
    )


def kept_store() -> KeptStore:
    """The store in the user's cache folder. Raises RequestError when $FARM_KEPT_SHARE is no such share."""
    text = os.environ.get(VARIABLE, "").strip()
    try:
        share = portion(text) if text else SHARE
    except ValueError as error:
        raise RequestError(f"{VARIABLE}: {error}", hint=f"{VARIABLE}=0 keeps nothing") from error
    return KeptStore(resources.cache_folder() / "kept", share)


def _has(path: Path, size_bytes: int) -> bool:
    try:
        return path.stat().st_size == size_bytes
    except OSError:
        return False


def _is_gone(manifest: Path) -> bool:
    """Whether a run was removed; one that cannot be looked at is still there."""
    try:
        manifest.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return


def _copy(source: Path, target: Path) -> None:
    """A copy of its own, on the disk; where the file system can, it takes room once one of them changes."""
    with source.open("rb") as stream:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(handle, "wb") as copy:
            try:
                fcntl.ioctl(copy.fileno(), _FICLONE, stream.fileno())
            except OSError:
                shutil.copyfileobj(stream, copy, _BLOCK_BYTES)
            copy.flush()
            os.fsync(copy.fileno())
