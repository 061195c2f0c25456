"""Files that a user named with `--output`."""

from __future__ import annotations

from pathlib import Path

from farm.errors import RunError
from farm.files import SHARED_FILE, write_atomic


def write_output(path: Path, content: str | bytes) -> None:
    """A file, whole or not at all; into what is there where it is no file (`/dev/null`, a pipe). A link stays
    one. Raises RunError for disk errors.
    """
    data = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            write_atomic(path.resolve(), data, mode=SHARED_FILE)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}", hint="use another --output") from error
