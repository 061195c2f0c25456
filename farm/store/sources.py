"""The folders of runs, each with a stamp that changes when its files do: for what is kept of many runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from farm.errors import RequestError
from farm.files import path_name
from farm.model.run import Results
from farm.store.guarded import MARKS, MOST_BYTES, regular
from farm.store.rebuild import PLAN
from farm.store.runs import RunDirectory, find_run


@dataclass(frozen=True)
class Source:
    """A run folder. `key` is its name as one safe part of a path; `stamp` changes when its files do, whose
    sizes are `size_bytes` in all.
    """

    directory: RunDirectory
    key: str
    stamp: str
    size_bytes: int


def sources(runs_dir: Path, names: Sequence[str] = ()) -> list[Source]:
    """The runs that were named, else all of the folder. Raises RequestError where there is no such folder or
    run, or where two runs have one name.
    """
    directories = [find_run(runs_dir, name) for name in names] if names else list(_all(runs_dir))
    found: dict[str, Source] = {}
    for directory in directories:
        source = _source(directory)
        other = found.setdefault(source.key, source)
        if not _is_same(other.directory.path, directory.path):
            raise RequestError(
                f"two runs are called {source.key}: {other.directory.path} and {directory.path}",
                hint="rename one of the folders",
            )
    return list(found.values())


def began_s(results: Results, directory: RunDirectory) -> float:
    """When a run began, in seconds since 1970: as its results say it, in ISO 8601, or else its folder."""
    try:
        read = datetime.fromisoformat(results.started_at)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return started_s(directory)


def started_s(directory: RunDirectory) -> float:
    """The same of a run whose results are not read, as far as its folder says; 0 where it does not."""
    plan = regular(directory.path / PLAN)
    if plan and plan.st_size <= MOST_BYTES:
        return directory.started()
    return next((one.st_mtime for name in MARKS if (one := regular(directory.path / name))), 0.0)


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _all(runs_dir: Path) -> Iterator[RunDirectory]:
    try:
        folders = sorted(runs_dir.iterdir())
    except OSError as error:
        raise RequestError(
            f"cannot read {runs_dir}: {error.strerror}", hint="use another --runs-dir"
        ) from error
    for path in folders:
        if any(regular(path / name) for name in MARKS):
            yield RunDirectory(path)


def _source(directory: RunDirectory) -> Source:
    path = directory.path.resolve() if directory.path.name in ("", "..") else directory.path
    found = [regular(path / name) for name in MARKS]
    stamp = " ".join(f"{one.st_size}-{one.st_mtime_ns}" if one else "-" for one in found)
    return Source(RunDirectory(path), path_name(path.name), stamp, sum(one.st_size for one in found if one))
