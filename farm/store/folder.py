"""The folder of one round in a run: readable names, which come from a device, of files kept by digest."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from pathlib import Path, PurePosixPath

from farm.files import PRIVATE_FILE, PRIVATE_FOLDER, digest_path, path_name, private_folder
from farm.model.artifact import Produced
from farm.visible import writable

DEEPEST = 16
"""Folders in the name of an output file."""

OUT = "out"
"""Where the program's own files are, beside the logs: none can take a log's place."""

ARTIFACTS = "artifacts"

_NAMES = frozenset(
    {
        errno.EEXIST,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.EINVAL,
        errno.ENOTEMPTY,
    }
)
"""What a file system says of a name; all else is about the disk."""


class BadNameError(ValueError):
    """A name that no file can have here. The message is for people."""


class Incoming:
    """A file that arrives in blocks, for its user only. `add` and the rest raise OSError."""

    def __init__(self, artifacts: Path) -> None:
        self.path = artifacts / f".incoming-{secrets.token_hex(8)}"
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        self._stream = os.fdopen(handle, "w+b", buffering=0)
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def add(self, block: bytes) -> None:
        left = memoryview(block)
        try:
            while left:
                left = left[self._stream.write(left) or 0 :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path.parent)) from error
        self._digest.update(block)
        self.size_bytes += len(block)

    def done(self) -> str:
        """No more comes; the digest of what came."""
        self._stream.close()
        return self._digest.hexdigest()

    def discard(self) -> None:
        self._stream.close()
        self.path.unlink(missing_ok=True)


class RoundFolder:
    """`cells/<device>/<model>/<variant>/<round>`: links to `artifacts/<aa>/<sha256>`; equal files are one."""

    def __init__(self, run: Path, under: Path) -> None:
        self._run = run
        self._under = under
        self._above = under.relative_to(run).parts

    def incoming(self) -> Incoming:
        return Incoming(self._run / ARTIFACTS)

    def has(self, sha256: str, size_bytes: int) -> bool:
        """Whether a file of this digest arrived before, with its whole size."""
        try:
            return self._kept(sha256).stat().st_size == size_bytes
        except OSError:
            return False

    def keep(self, incoming: Incoming, *, role: str, name: str) -> Produced:
        """Keep a file that arrived, and link it. Raises BadNameError, OSError."""
        sha256 = incoming.done()
        kept = self._kept(sha256)
        try:
            incoming.path.replace(kept)
        except FileNotFoundError:  # the first of its folder
            kept.parent.mkdir(PRIVATE_FOLDER, exist_ok=True)
            incoming.path.replace(kept)
        return self._linked(sha256, incoming.size_bytes, role, name)

    def keep_content(self, content: bytes, *, role: str, name: str) -> Produced:
        """The same for one that is here as a whole. Raises likewise; leaves nothing half-done."""
        incoming = self.incoming()
        try:
            incoming.add(content)
            return self.keep(incoming, role=role, name=name)
        except BaseException:
            incoming.discard()
            raise

    def link(self, sha256: str, *, role: str, name: str) -> Produced:
        """Give a kept file a readable name. Raises BadNameError as `place`, OSError where the disk fails."""
        return self._linked(sha256, self._kept(sha256).stat().st_size, role, name)

    def _linked(self, sha256: str, size_bytes: int, role: str, name: str) -> Produced:
        parts = (*self._above, *_parts(name))
        path, link = "/".join(parts), self._run.joinpath(*parts)
        try:
            _symlink(link, "../" * (len(parts) - 1) + f"{digest_path(PurePosixPath(ARTIFACTS), sha256)}")
        except OSError as error:
            if error.errno not in _NAMES:
                raise
            raise BadNameError(f"no file can be called so: {error.strerror}") from error
        return Produced(role, path, sha256, size_bytes)

    def path(self, produced: Produced) -> Path:
        """Where a file is that was kept."""
        return self._run / produced.path

    def place(self, name: str) -> Path:
        """Where a name leads; it may hold folders (`out/dump/01`), each part is made safe.

        Raises BadNameError when no file can be called so here.
        """
        return self._under.joinpath(*_parts(name))

    def _kept(self, sha256: str) -> Path:
        return digest_path(self._run / ARTIFACTS, sha256)


def _parts(name: str) -> list[str]:
    """Of a name below a round's folder, each made safe. Raises BadNameError."""
    parts = [path_name(writable(part)) for part in name.split("/") if part not in ("", ".", "..")]
    if not parts or name.endswith("/"):
        raise BadNameError("it has no name")
    if len(parts) > DEEPEST:
        raise BadNameError(f"its name has more than {DEEPEST} folders")
    return parts


def _symlink(link: Path, target: str) -> None:
    """In the place of what is there; mostly nothing is, and its folder is."""
    try:
        link.symlink_to(target)
    except FileNotFoundError:
        private_folder(link.parent)
        link.symlink_to(target)
    except FileExistsError:
        link.unlink()
        link.symlink_to(target)
