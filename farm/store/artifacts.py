"""Local files as artifacts."""

from __future__ import annotations

from pathlib import Path

from farm.errors import RequestError
from farm.files import sha256_of
from farm.model.artifact import Artifact


def artifact_of(path: Path, *, name: str | None = None, executable: bool = False) -> Artifact:
    """The artifact of a local file that the user named.

    Raises RequestError when it is missing, not a regular file, unreadable or empty.
    """
    try:
        if not path.exists():
            message, hint = (
                f"no such file: {path}",
                "check the path; relative paths start from the current folder",
            )
        elif not path.is_file():
            message, hint = f"not a file: {path}", "name the file itself, not its folder"
        elif path.stat().st_size == 0:
            message, hint = (
                f"the file is empty: {path}",
                "copy it again; the download may have been interrupted",
            )
        else:
            return Artifact(
                name or path.name, sha256_of(path), path.stat().st_size, path.resolve(), executable
            )
    except OSError as error:
        message, hint = f"cannot read {path}: {error.strerror}", None
    raise RequestError(message, hint=hint)
