"""Files on the controller: written whole or not at all, named safely, found by their digest."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path, PurePath
from typing import TypeVar

_AnyPath = TypeVar("_AnyPath", bound=PurePath)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a temporary file in the same folder, flush, rename: a reader sees the old file or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_path(root: _AnyPath, sha256: str) -> _AnyPath:
    """Where a store keeps the content of a digest, here and on devices: `<root>/<aa>/<sha256>`."""
    return root / sha256[:2] / sha256


def path_name(name: str) -> str:
    """A name as one safe path component: letters, digits, `._-+=`; never empty, never dots alone."""
    safe = re.sub(r"[^A-Za-z0-9._+=-]+", "-", name).strip(".-")[:80]
    if safe and safe == name:
        return safe
    return f"{safe or 'x'}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
