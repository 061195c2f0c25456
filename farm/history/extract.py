"""What is remembered of a run. Pure: results in, points out."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from farm.analysis.summary import median_interval
from farm.compare.fingerprint import Side, fingerprint
from farm.compare.rounds import values_ms
from farm.history.nouns import Point, SeriesKey
from farm.model.run import CellResult, CellStatus, Results
from farm.visible import one_line

LONGEST_NAME = 500
LONGEST_VALUE = 200


def points_of(results: Results, run: str, started_s: float) -> Iterator[tuple[SeriesKey, Point]]:
    """The cells of a run that were to be measured, under the name `run` of its folder. Left out are those
    that are other cells once more: twins of canaries, and what an earlier run had. Names and values come
    from devices: they are made safe.
    """
    twins = {duel.candidate for duel in results.duels if duel.is_canary}
    twins |= {duel.baseline for duel in results.duels if duel.since is not None}
    for cell in results.cells:
        if cell.status in (CellStatus.SKIPPED, CellStatus.CANCELLED) or cell.id in twins:
            continue
        names = (one_line(name, LONGEST_NAME) for name in (cell.device, cell.model, cell.variant, cell.build))
        yield SeriesKey(*names), _point(cell, run, started_s, results.started_at, _context(results, cell))


def _context(results: Results, cell: CellResult) -> dict[str, str]:
    found = fingerprint(Side(results, cell))
    return {label: one_line(value, LONGEST_VALUE) for label, value in found.items()}


def _point(cell: CellResult, run: str, started_s: float, started_at: str, context: dict[str, str]) -> Point:
    values = values_ms(cell).values if cell.status is CellStatus.COMPLETED else ()
    low_ms, high_ms = median_interval(values) or (None, None)
    return Point(
        run=run,
        started_s=started_s,
        started_at=started_at,
        status=str(cell.status),
        cause=cell.cause,
        median_ms=statistics.median(values) if values else None,
        low_ms=low_ms,
        high_ms=high_ms,
        values_ms=values,
        context=context,
    )
