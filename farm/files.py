"""Files on the controller: whole or not at all, named by what is in them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from farm.errors import RequestError
from farm.model.artifact import Artifact


def write_atomic(path: Path, data: bytes) -> None:
    """Write aside in the same folder, flush to disk, rename: a reader sees the old file or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def artifact_of(path: Path, *, name: str | None = None, executable: bool = False) -> Artifact:
    """The artifact of a local file that the user named.

    Raises RequestError when it is missing, not a regular file, unreadable or empty.
    """
    try:
        if not path.exists():
            message, hint = f"no such file: {path}", "check the path; it is relative to where you are"
        elif not path.is_file():
            message, hint = f"not a file: {path}", "give the file itself, not its folder"
        elif path.stat().st_size == 0:
            message, hint = f"the file is empty: {path}", "copy it again; an interrupted download looks so"
        else:
            return Artifact(
                name or path.name, sha256_of(path), path.stat().st_size, path.resolve(), executable
            )
    except OSError as error:
        message, hint = f"cannot read {path}: {error.strerror}", None
    raise RequestError(message, hint=hint)
