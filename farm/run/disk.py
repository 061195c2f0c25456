"""What a full or failing disk of this machine means for a run: failed cells and notes, never its end."""

from __future__ import annotations

import errno

from farm.errors import DeviceError, Fault, Stage

ROOM = "free some room on this machine, or use another --runs-dir"
RIGHTS = "make it writable, or use another --runs-dir"
HINTS = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EFBIG: "raise the limit of file sizes (ulimit -f), or use another --runs-dir",
    errno.EACCES: RIGHTS,
    errno.EPERM: RIGHTS,
    errno.EROFS: RIGHTS,
    errno.ENOENT: "somebody removed the run's folder while it was going on: run the bench again",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    errno.ENFILE: "raise the limit of open files: ulimit -n 4096",
}


def is_of_disk(error: OSError) -> bool:
    """Whether it is about files of this machine, not about a connection."""
    return not isinstance(error, ConnectionError | TimeoutError | InterruptedError)


def disk_error(error: OSError, stage: Stage = Stage.COLLECT) -> DeviceError:
    """The rest of a device's cells cannot be measured: what they give could not be kept."""
    return DeviceError(
        f"this machine cannot keep results: {_what(error)}",
        stage=stage,
        fault=Fault.USER,
        cause="controller-disk",
        hint=HINTS.get(error.errno or 0, "look at this machine's disk, or use another --runs-dir"),
    )


def not_kept(error: OSError) -> str:
    """The beginning of a note about a cache that cannot be written."""
    return f"not kept in the cache: {_what(error)}"


def _what(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"
