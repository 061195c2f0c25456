"""Series of the database, chosen by their names and their time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, select

from farm.history.nouns import Point, Series, SeriesKey
from farm.history.tables import CONTEXT, POINT, RUN, SERIES
from farm.history.values import unpacked


@dataclass(frozen=True)
class Wanted:
    """Which series of a folder of runs (as `folder_of` has it): patterns with `*`, `?` and `[]`, and the time
    since when, in seconds since 1970.
    """

    folder: str
    model: str = "*"
    device: str = "*"
    variant: str = "*"
    build: str = "*"
    since_s: float = 0.0

    def takes(self, key: SeriesKey) -> bool:
        return all(
            text == pattern or fnmatchcase(text, pattern)
            for text, pattern in (
                (key.model, self.model),
                (key.device, self.device),
                (key.variant, self.variant),
                (key.build, self.build),
            )
        )


def keys(connection: Connection, folder: str) -> dict[int, SeriesKey]:
    """All series of a folder of runs by their number in the database, by name."""
    columns = (SERIES.c.id, SERIES.c.device, SERIES.c.model, SERIES.c.variant, SERIES.c.build)
    points = select(POINT.c.series).join_from(POINT, RUN).where(RUN.c.folder == folder)
    query = select(*columns).where(SERIES.c.id.in_(points))
    found = {number: SeriesKey(*names) for number, *names in connection.execute(query)}
    return dict(sorted(found.items(), key=itemgetter(1)))


def series(connection: Connection, wanted: Wanted) -> Iterator[Series]:
    """Those that are wanted and have points since then, one after the other, by name."""
    contexts: dict[int, dict[str, str]] = {}
    for number, key in keys(connection, wanted.folder).items():
        if wanted.takes(key):
            points = tuple(_points(connection, number, wanted, contexts))
            if points:
                yield Series(key, points)


def one_series(connection: Connection, folder: str, key: SeriesKey) -> tuple[Point, ...]:
    """The points of one series; none where it is not known."""
    names = {SERIES.c.device: key.device, SERIES.c.model: key.model}
    names |= {SERIES.c.variant: key.variant, SERIES.c.build: key.build}
    number = connection.scalar(select(SERIES.c.id).where(*(column == name for column, name in names.items())))
    return () if number is None else tuple(_points(connection, number, Wanted(folder), {}))


_COLUMNS = (
    RUN.c.key, RUN.c.started_s, RUN.c.started_at, POINT.c.status, POINT.c.cause, POINT.c.median_ms,
    POINT.c.low_ms, POINT.c.high_ms, POINT.c.values_ms, POINT.c.context,
)  # fmt: skip


def _points(
    connection: Connection, number: int, wanted: Wanted, contexts: dict[int, dict[str, str]]
) -> Iterator[Point]:
    """Of one series. `contexts` are those that were read, which most points share."""
    query = (
        select(*_COLUMNS)
        .join_from(POINT, RUN)
        .where(POINT.c.series == number, RUN.c.folder == wanted.folder, RUN.c.started_s >= wanted.since_s)
        .order_by(RUN.c.started_s, RUN.c.key)
    )
    for row in connection.execute(query):
        yield Point(
            run=row.key,
            started_s=row.started_s,
            started_at=row.started_at,
            status=row.status,
            cause=row.cause,
            median_ms=row.median_ms,
            low_ms=row.low_ms,
            high_ms=row.high_ms,
            values_ms=unpacked(row.values_ms),
            context=_context(connection, row.context, contexts),
        )


def _context(connection: Connection, number: int, known: dict[int, dict[str, str]]) -> dict[str, str]:
    if number not in known:
        text = connection.scalar(select(CONTEXT.c.traits).where(CONTEXT.c.id == number))
        known[number] = _mapping(text)
    return known[number]


def _mapping(text: str | None) -> dict[str, str]:
    found: Any = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}
