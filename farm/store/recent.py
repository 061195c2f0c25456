"""The newest runs of a folder, as far as they can be read within a bound."""

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
"""For an estimate: after so long no further run is begun with."""


def recent_results(runs_dir: Path, clock: Callable[[], float] = time.monotonic) -> tuple[Results, ...]:
    """Results of the newest few runs, for an estimate: what is there at once."""
    return tuple(newest_results(runs_dir, MOST_RUNS, MOST_S, clock))


def newest_results(
    runs_dir: Path, most_runs: int, most_s: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[Results]:
    """Results of ended runs, the newest first, by the time of their results.json: at most so many, and none
    is begun with after so many seconds. What cannot be read is left out; never raises for what a folder may
    hold.
    """
    until = clock() + most_s
    number = 0
    files = sorted(_files(runs_dir), reverse=True)
    if files:
        from farm.store.codec import results_from_json  # validation costs a tenth of a second
    for _, path in files:
        if number == most_runs or clock() >= until:
            return
        try:
            results = results_from_json(path.read_bytes(), str(path))
        except (OSError, RequestError):
            continue
        number += 1
        yield results


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
