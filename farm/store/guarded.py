"""Runs that may hold anything, read within bounds: for reports of many of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from farm.errors import RequestError
from farm.model.run import Results
from farm.store.journal import JOURNAL
from farm.store.rebuild import PLAN
from farm.store.runs import REPORT, RESULTS, RunDirectory

MOST_BYTES = 256 << 20
"""Of results.json or the journal: about 400,000 rounds, which take 2 GB to read."""

MARKS = (RESULTS, PLAN, JOURNAL, REPORT)
"""A folder with one of these is a run, though perhaps a broken one."""

UNREADABLE = (RequestError, OSError, ValueError, RecursionError, MemoryError)
"""What `results_within_bounds` raises for what a folder may hold."""


def regular(path: Path) -> os.stat_result | None:
    """The status of a file; None where there is none, or something else."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def results_within_bounds(directory: RunDirectory) -> Results:
    """As RunDirectory.results, of files that have at most `MOST_BYTES`. Raises one of `UNREADABLE`."""
    for name in (RESULTS, PLAN, JOURNAL):
        found = regular(directory.path / name)
        if found and found.st_size > MOST_BYTES:
            raise RequestError(f"{name} has more than {MOST_BYTES >> 20} MiB")
        if not found and os.path.lexists(directory.path / name):
            raise RequestError(f"{name} is no file")  # a pipe would never end
    if not any(regular(directory.path / name) for name in (RESULTS, JOURNAL)):
        raise RequestError(f"{RESULTS} and {JOURNAL} are missing")
    return directory.results()
