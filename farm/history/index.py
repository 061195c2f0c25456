"""`farm runs index`: the database brought up to date with the folders of the runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, CursorResult, delete, distinct, func, insert, select

from farm.history.database import opened
from farm.history.extract import points_of
from farm.history.nouns import Point, SeriesKey
from farm.history.place import folder_of
from farm.history.tables import CONTEXT, POINT, RUN, SERIES
from farm.history.values import packed
from farm.model.run import RunStatus
from farm.store.guarded import UNREADABLE, results_within_bounds
from farm.store.sources import Source, began_s, started_s
from farm.visible import one_line

AT_ONCE = 20
"""Runs in one transaction: others may read and write between two, and what is done stays done."""

MOST_NAMED = 500
"""Values in one statement: databases have a limit."""

LONGEST_TEXT = 300
NOT_READ = "unreadable"
"""The status of a run whose results cannot be read."""

Told = Callable[[int, int], None]
"""How many runs are done, of how many."""


@dataclass(frozen=True)
class Indexed:
    """The database after an update: `read` runs were new or had changed, `removed` ones have no folder any
    more, and of all `runs` so many are `unreadable`.
    """

    runs: int
    read: int
    removed: int
    unreadable: int
    series: int
    points: int


def update(where: str, runs_dir: Path, found: Sequence[Source], told: Told, *, anew: bool = False) -> Indexed:
    """Remember the runs of a folder (all that were `found` in it), and forget those that are not in it any
    more. Runs that did not change are not read again (with `anew` all are), and one that cannot be read is
    remembered as such.

    Raises RequestError and RunError as `opened`.
    """
    folder = folder_of(runs_dir)
    with opened(where) as connection:
        query = select(RUN.c.key, RUN.c.stamp, RUN.c.status).where(RUN.c.folder == folder)
        known = {key: (stamp, status) for key, stamp, status in connection.execute(query)}
    gone = sorted(known.keys() - {one.key for one in found})
    changed = [one for one in found if anew or not _is_current(one, *known.get(one.key, (None, None)))]
    for number in range(0, max(len(changed), 1), AT_ONCE):
        told(number, len(changed))
        some = changed[number : number + AT_ONCE]
        with opened(where, writes=True) as connection:
            _forget(connection, folder, [*gone, *(one.key for one in some)])
            writer = _Writer(connection, folder)
            for source in some:
                writer.add(source)
    told(len(changed), len(changed))
    with opened(where, writes=bool(gone)) as connection:
        if gone:
            connection.execute(delete(SERIES).where(SERIES.c.id.not_in(select(POINT.c.series))))
        statuses = list(connection.scalars(select(RUN.c.status).where(RUN.c.folder == folder)))
        points = select(func.count(), func.count(distinct(POINT.c.series))).join_from(POINT, RUN)
        row = connection.execute(points.where(RUN.c.folder == folder)).one()
    return Indexed(len(statuses), len(changed), len(gone), statuses.count(NOT_READ), row[1], row[0])


def _is_current(source: Source, stamp: str | None, status: str | None) -> bool:
    """A run that goes on may end without another word in its files."""
    return stamp == source.stamp and status != RunStatus.RUNNING


def _forget(connection: Connection, folder: str, keys: Sequence[str]) -> None:
    for number in range(0, len(keys), MOST_NAMED):
        some = RUN.c.key.in_(keys[number : number + MOST_NAMED])
        connection.execute(delete(RUN).where(RUN.c.folder == folder, some))


class _Writer:
    """Writes runs with their points. What they share (names, contexts) is written once."""

    def __init__(self, connection: Connection, folder: str) -> None:
        self._connection, self._folder = connection, folder
        columns = (SERIES.c.device, SERIES.c.model, SERIES.c.variant, SERIES.c.build, SERIES.c.id)
        self._series: dict[SeriesKey, int] = {
            SeriesKey(*names): number for *names, number in connection.execute(select(*columns))
        }
        contexts = connection.execute(select(CONTEXT.c.digest, CONTEXT.c.id))
        self._contexts: dict[str, int] = {row.digest: row.id for row in contexts}

    def add(self, source: Source) -> None:
        try:
            results = results_within_bounds(source.directory)
            began = began_s(results, source.directory)
            made = dict(points_of(results, source.key, began))
        except UNREADABLE as error:
            self._add_run(source, started_s(source.directory), status=NOT_READ, problem=str(error))
            return
        said = {"started_at": results.started_at, "farm_version": results.farm_version}
        run = self._add_run(source, began, status=str(results.status), **said)
        rows = [self._row(run, key, point) for key, point in made.items()]
        if rows:
            self._connection.execute(insert(POINT), rows)

    def _add_run(self, source: Source, began: float, **said: str) -> int:
        row = {"folder": self._folder, "key": source.key, "stamp": source.stamp, "started_s": began}
        row |= {"started_at": "", "farm_version": "", "problem": None}
        row |= {name: one_line(text, LONGEST_TEXT) for name, text in said.items()}
        return self._id(self._connection.execute(insert(RUN), row))

    def _row(self, run: int, key: SeriesKey, point: Point) -> dict[str, Any]:
        return {
            "run": run,
            "series": self._series_id(key),
            "context": self._context_id(point.context or {}),
            "status": point.status,
            "cause": point.cause,
            "median_ms": point.median_ms,
            "low_ms": point.low_ms,
            "high_ms": point.high_ms,
            "values_ms": packed(point.values_ms),
        }

    def _series_id(self, key: SeriesKey) -> int:
        if key not in self._series:
            row = {"device": key.device, "model": key.model, "variant": key.variant, "build": key.build}
            self._series[key] = self._id(self._connection.execute(insert(SERIES), row))
        return self._series[key]

    def _context_id(self, traits: Mapping[str, str]) -> int:
        text = json.dumps(traits, sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest not in self._contexts:
            row = {"digest": digest, "traits": text}
            self._contexts[digest] = self._id(self._connection.execute(insert(CONTEXT), row))
        return self._contexts[digest]

    @staticmethod
    def _id(result: CursorResult[Any]) -> int:
        key = result.inserted_primary_key
        return int(key[0]) if key else 0
