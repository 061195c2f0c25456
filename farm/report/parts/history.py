"""A run's cells over the runs before it, from the database of all runs where there is one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from farm.compare.words import SYMBOLS, percent
from farm.errors import FarmError
from farm.files import path_name
from farm.history.nouns import WORDS, ChangePoint, Point, Reading, Series, SeriesKey
from farm.history.place import database_of, folder_of, is_there
from farm.model.comparison import Verdict
from farm.model.run import Results
from farm.report.figures.sparkline import sparkline
from farm.report.numerals import count, decimals_for, in_ms
from farm.report.sections import MOST_CELLS, More
from farm.report.views.common import Status
from farm.report.views.history import HistoryRow, HistoryView
from farm.store.runs import RunDirectory
from farm.store.sources import began_s

FEWEST = 4
"""Runs of a cell for it to have a history."""
MOST_POINTS = 365
MOST_ROWS = 30
MOST_TOLD = 4

NO_CHANGE = Status("unchanged", SYMBOLS[Verdict.UNCHANGED], "no change")
SUSPECT = Status("inconclusive", SYMBOLS[Verdict.INCONCLUSIVE], "off its level")


def histories(directory: RunDirectory, results: Results) -> More:
    """The section `history` of the run. Runs that began later are left out: a report that is made again says
    what it said. Without a database there is none, and one that cannot be read costs no report.
    """
    where = database_of(directory.path.parent)
    if not is_there(where):
        return More()
    try:
        found = list(_readings(where, directory, results))
    except FarmError as error:
        return More({"history": HistoryView(problem=error.message)})
    rows = sorted(found, key=_rank)
    view = HistoryView(tuple(map(_row, rows[:MOST_ROWS])), max(len(rows) - MOST_ROWS, 0))
    return More({"history": view}) if rows else More()


def _readings(where: str, directory: RunDirectory, results: Results) -> Iterable[Reading]:
    from farm.history.database import opened  # SQLAlchemy takes a third of a second to import
    from farm.history.extract import points_of
    from farm.history.query import one_series
    from farm.history.reading import read

    began = began_s(results, directory)
    own = dict(points_of(results, path_name(directory.path.name), began))
    folder = folder_of(directory.path.parent)
    least = results.comparing.minimum_effect
    with opened(where) as connection:
        for key, point in list(own.items())[:MOST_CELLS]:
            before = [one for one in one_series(connection, folder, key) if _is_before(one, point)]
            points = (*before, point)[-MOST_POINTS:]
            if len(points) >= FEWEST:
                yield _short(read(Series(key, points), least))


def _is_before(one: Point, newest: Point) -> bool:
    return one.started_s <= newest.started_s and one.run != newest.run


def _short(reading: Reading) -> Reading:
    """Without what no row shows, since there are very many."""
    points = tuple(replace(one, values_ms=(), context=None) for one in reading.series.points)
    return replace(reading, series=replace(reading.series, points=points), marks=())


def _rank(reading: Reading) -> tuple[int, int, SeriesKey]:
    """Those that are off their level first, then by how long ago they changed."""
    last = reading.changes[-1].at if reading.changes else -1
    ago = len(reading.series.points) - last if reading.changes else MOST_POINTS + 1
    return (0 if reading.suspect else 1, ago, reading.series.key)


def _row(reading: Reading) -> HistoryRow:
    points = reading.series.points
    times = [one.median_ms for one in points]
    known = [one for one in times if one is not None]
    decimals = decimals_for(known)
    last = reading.changes[-1] if reading.changes else None
    mark, change = (NO_CHANGE, "") if last is None else _told(last, points, decimals)
    if reading.suspect:
        mark = SUSPECT
        off = f"this run is {percent(reading.suspect.ratio - 1)} off the level before it"
        change = f"{off}; before that {change}" if change else off
    return HistoryRow(
        cell=reading.series.key.id,
        line=sparkline(times, [one.at for one in reading.changes]),
        value=in_ms(known[-1] if known else None, decimals),
        runs=count(len(points), "run"),
        mark=mark,
        change=change,
        told=last.evidence[:MOST_TOLD] if last else (),
    )


def _told(change: ChangePoint, points: tuple[Point, ...], decimals: int) -> tuple[Status, str]:
    verdict = Verdict.SLOWER if change.ratio >= 1 else Verdict.FASTER
    levels = f"{in_ms(change.before_ms, decimals)} to {in_ms(change.after_ms, decimals)} ms"
    since = f"since {change.after} ({points[change.at].started_at[:10]})"
    text = f"{percent(change.ratio - 1)}, {levels}, {since}: {WORDS[change.why]}"
    return Status(str(verdict), SYMBOLS[verdict], "changed"), text
