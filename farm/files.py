"""Files on the controller: written whole or not at all, named safely, found by their digest."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path, PurePath
from typing import TypeVar

_AnyPath = TypeVar("_AnyPath", bound=PurePath)


PRIVATE_FILE, PRIVATE_FOLDER, SHARED_FILE = 0o600, 0o700, 0o666
"""Modes that the umask makes narrower: what farm keeps is for its user, what a user names is as any file."""


def write_atomic(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Write a temporary file in the same folder, flush, rename: a reader sees the old file or the new one."""
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def private_folder(path: Path) -> Path:
    """The folder, made with the missing ones above it, for its user only. Raises OSError."""
    for missing in reversed([one for one in (path, *path.parents) if not one.exists()]):
        missing.mkdir(PRIVATE_FOLDER, exist_ok=True)
    return path


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
