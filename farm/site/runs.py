"""The runs that a site is made of, each read within bounds; a broken one is shown as such."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from farm.export.cells import safe
from farm.model.run import SCHEMA_VERSION, Results, RunStatus
from farm.site.summary import UNREADABLE as NOT_READ
from farm.site.summary import VERSION, Head, Summary, summary_of
from farm.store.guarded import UNREADABLE, regular, results_within_bounds
from farm.store.runs import RESULTS
from farm.store.sources import Source, began_s, started_s

_VERSION = re.compile(rb'\s*\{\s*"schema_version"\s*:\s*([0-9]{1,9})\b')


def is_current(head: Head, source: Source) -> bool:
    """Whether a summary is still that of the run. A run that goes on may end without another word."""
    return head.stamp == source.stamp and head.status != RunStatus.RUNNING


def read(source: Source) -> tuple[Summary, Results | None]:
    """The summary, and the results where they can be read. Never raises for what a folder holds."""
    directory = source.directory
    try:
        results = results_within_bounds(directory)
        began = began_s(results, directory)
        made = summary_of(results, key=source.key, stamp=source.stamp, started_s=began)
        version = _version(directory.path)
        notes = made.head.notes
        if version is not None and version != SCHEMA_VERSION:
            notes = (f"results of schema version {version}", *notes)
        return replace(made, head=replace(made.head, schema_version=version, notes=notes)), results
    except UNREADABLE as error:
        return _broken(source, error), None


def _broken(source: Source, error: BaseException) -> Summary:
    began = started_s(source.directory)
    name = source.directory.path.name
    problem = safe(str(error).replace(str(source.directory.path), name) or type(error).__name__)
    version = _version(source.directory.path)
    head = Head(
        source.key,
        source.stamp,
        safe(name),
        NOT_READ,
        began,
        schema_version=version,
        problem=problem,
    )
    return Summary(VERSION, head)


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
