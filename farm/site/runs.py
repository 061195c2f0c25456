"""The runs that a site is made of, each read within bounds; a broken one is shown as such."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from farm.errors import RequestError
from farm.export.cells import safe
from farm.files import path_name
from farm.model.run import SCHEMA_VERSION, Results, RunStatus
from farm.report.numerals import moment
from farm.site.summary import UNREADABLE as NOT_READ
from farm.site.summary import VERSION, Head, Summary, summary_of
from farm.store.guarded import MARKS, MOST_BYTES, UNREADABLE, regular, results_within_bounds
from farm.store.rebuild import PLAN
from farm.store.runs import RESULTS, RunDirectory, find_run

_VERSION = re.compile(rb'\s*\{\s*"schema_version"\s*:\s*([0-9]{1,9})\b')


@dataclass(frozen=True)
class Source:
    """A run folder. `key` is the name of its folder in the site; `stamp` changes when its files do, whose
    sizes are `size_bytes` in all.
    """

    directory: RunDirectory
    key: str
    stamp: str
    size_bytes: int


def sources(runs_dir: Path, names: Sequence[str]) -> list[Source]:
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


def is_current(head: Head, source: Source) -> bool:
    """Whether a summary is still that of the run. A run that goes on may end without another word."""
    return head.stamp == source.stamp and head.status != RunStatus.RUNNING


def read(source: Source) -> tuple[Summary, Results | None]:
    """The summary, and the results where they can be read. Never raises for what a folder holds."""
    directory = source.directory
    try:
        results = results_within_bounds(directory)
        said = moment(results.started_at)
        started_s = said.timestamp() if said else _started_s(directory)
        made = summary_of(results, key=source.key, stamp=source.stamp, started_s=started_s)
        version = _version(directory.path)
        notes = made.head.notes
        if version is not None and version != SCHEMA_VERSION:
            notes = (f"results of schema version {version}", *notes)
        return replace(made, head=replace(made.head, schema_version=version, notes=notes)), results
    except UNREADABLE as error:
        return _broken(source, error), None


def _broken(source: Source, error: BaseException) -> Summary:
    started_s = _started_s(source.directory)
    name = source.directory.path.name
    problem = safe(str(error).replace(str(source.directory.path), name) or type(error).__name__)
    version = _version(source.directory.path)
    head = Head(
        source.key,
        source.stamp,
        safe(name),
        NOT_READ,
        started_s,
        schema_version=version,
        problem=problem,
    )
    return Summary(VERSION, head)


def _started_s(directory: RunDirectory) -> float:
    plan = regular(directory.path / PLAN)
    if plan and plan.st_size <= MOST_BYTES:
        return directory.started()
    return next((one.st_mtime for name in MARKS if (one := regular(directory.path / name))), 0.0)


def _version(folder: Path) -> int | None:
    """As the file itself says it; reading it brings it to the newest."""
    path = folder / RESULTS
    try:
        if not regular(path):
            return None
        with path.open("rb") as stream:
            found = _VERSION.match(stream.read(200))
    except OSError:
        return None
    return int(found[1]) if found else None
