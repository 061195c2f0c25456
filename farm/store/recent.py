"""The newest runs of a folder, as far as they can be read at once: for an estimate, never for a result."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from farm.errors import RequestError
from farm.model.run import Results

RESULTS = "results.json"
MOST_RUNS = 5
MOST_BYTES = 32 << 20
"""Of one results.json: about 50,000 rounds."""
MOST_FOLDERS = 10_000
MOST_S = 1.0
"""After so long no further run is begun with."""


def recent_results(runs_dir: Path, clock: Callable[[], float] = time.monotonic) -> tuple[Results, ...]:
    """Results of ended runs, the newest first, by the time of their results.json. What cannot be read is left
    out; never raises for what a folder may hold.
    """
    until = clock() + MOST_S
    found: list[Results] = []
    files = sorted(_files(runs_dir), reverse=True)
    if files:
        from farm.store.codec import results_from_json  # validation costs a tenth of a second
    for _, path in files:
        if len(found) == MOST_RUNS or clock() >= until:
            break
        try:
            found.append(results_from_json(path.read_bytes(), str(path)))
        except (OSError, RequestError):
            continue
    return tuple(found)


def _files(runs_dir: Path) -> Iterator[tuple[float, Path]]:
    """Files of results with the time when they were written."""
    try:
        with os.scandir(runs_dir) as entries:
            for _, entry in zip(range(MOST_FOLDERS), entries, strict=False):
                path = Path(entry.path, RESULTS)
                try:
                    status = path.stat()
                except (OSError, ValueError):
                    continue
                if stat.S_ISREG(status.st_mode) and status.st_size <= MOST_BYTES:
                    yield status.st_mtime, path
    except (OSError, ValueError):
        return
