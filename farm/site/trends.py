"""Cells over runs. Pure: points in, rows of a page out, in bounded memory however many runs there are."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, nan

from farm.report.numerals import MISSING, as_ratio, count, decimals_for, in_ms
from farm.site.summary import Head, Point
from farm.site.times import started_text
from farm.site.view import Spark, TrendRow, Value

MOST_RUNS = 50
"""The newest that a trend shows."""

MOST_CELLS = 10_000
"""Of all models together."""

MOST_VALUES = 12
"""Of a cell, in words."""

WIDTH, HEIGHT, EDGE = 168, 34, 5


@dataclass
class Track:
    """A cell: by run, from the oldest on, its number, median and interval in ms (NaN: not known).
    `changes` are the places where something else was measured than in the run before, and what.
    """

    runs: array[int] = field(default_factory=lambda: array("l"))
    medians: array[float] = field(default_factory=lambda: array("d"))
    lows: array[float] = field(default_factory=lambda: array("d"))
    highs: array[float] = field(default_factory=lambda: array("d"))
    changes: dict[int, str] = field(default_factory=dict)
    model_sha256: str = ""
    runtime_digest: str = ""

    def add(self, run: int, point: Point) -> None:
        median_ms = point.median_ms
        if median_ms is None or not isfinite(median_ms):
            return
        changed = [
            word
            for word, before, now in (
                ("model", self.model_sha256, point.model_sha256),
                ("runtime", self.runtime_digest, point.runtime_digest),
            )
            if before and now and before != now
        ]
        if changed:
            self.changes[len(self.runs)] = f"another {' and '.join(changed)}"
        self.model_sha256 = point.model_sha256 or self.model_sha256
        self.runtime_digest = point.runtime_digest or self.runtime_digest
        self.runs.append(run)
        self.medians.append(median_ms)
        self.lows.append(nan if point.low_ms is None else point.low_ms)
        self.highs.append(nan if point.high_ms is None else point.high_ms)


class Trends:
    """Tracks by model, then device and column, in the order in which they were met."""

    def __init__(self) -> None:
        self.models: dict[str, dict[tuple[str, str], Track]] = {}
        self.left_out: dict[str, int] = {}
        self._cells = 0

    def add(self, run: int, points: Sequence[Point]) -> None:
        """The cells of a run; runs come from the oldest to the newest."""
        for point in points:
            tracks = self.models.setdefault(point.model, {})
            key = (point.device, point.column)
            track = tracks.get(key)
            if track is None:
                if point.median_ms is None:
                    continue
                if self._cells == MOST_CELLS:
                    self.left_out[point.model] = self.left_out.get(point.model, 0) + 1
                    continue
                self._cells += 1
                track = tracks[key] = Track()
            track.add(run, point)


def rows_of(tracks: dict[tuple[str, str], Track], heads: Sequence[Head]) -> tuple[TrendRow, ...]:
    """The rows of a model's page; `heads` are the runs by number."""
    return tuple(_row(*key, track, heads) for key, track in sorted(tracks.items()) if track.runs)


def _row(device: str, column: str, track: Track, heads: Sequence[Head]) -> TrendRow:
    decimals = decimals_for(track.medians)
    before = track.medians[-2] if len(track.runs) > 1 else None
    newest = len(track.runs) - 1
    return TrendRow(
        device=device,
        column=column,
        runs=len(track.runs),
        median=in_ms(track.medians[-1], decimals),
        interval=_interval(track, newest, decimals),
        before=in_ms(before, decimals),
        ratio=as_ratio(track.medians[-1] / before) if before else MISSING,
        spark=spark(track),
        values=tuple(
            _value(track, place, heads[track.runs[place]], decimals)
            for place in range(newest, max(newest - MOST_VALUES, -1), -1)
        ),
    )


def _value(track: Track, place: int, head: Head, decimals: int) -> Value:
    return Value(
        run_id=head.run_id,
        href=f"../runs/{head.key}/report.html" if head.report_sha256 else None,
        started=started_text(head),
        median=in_ms(track.medians[place], decimals),
        interval=_interval(track, place, decimals),
        change=track.changes.get(place, ""),
    )


def _interval(track: Track, place: int, decimals: int) -> str:
    low, high = track.lows[place], track.highs[place]
    return f"{in_ms(low, decimals)} to {in_ms(high, decimals)}" if isfinite(low) and isfinite(high) else ""


def spark(track: Track) -> Spark:
    """The track as a figure, on an axis from its lowest to its highest bound, a place for each run."""
    bounds = [
        value for values in (track.medians, track.lows, track.highs) for value in values if isfinite(value)
    ]
    low, high = min(bounds), max(bounds)
    size = high - low

    def x(place: int) -> str:
        return _short(EDGE + (WIDTH - 2 * EDGE) * (place / max(len(track.runs) - 1, 1)))

    def y(value: float) -> str:
        part = (value - low) / size if size > 0 else 0.5
        return _short(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * part)

    places = range(len(track.runs))
    dots = [f"M{x(place)} {y(track.medians[place])}h0" for place in places]
    known = [place for place in places if isfinite(track.lows[place]) and isfinite(track.highs[place])]
    decimals = decimals_for(bounds)
    return Spark(
        width=WIDTH,
        height=HEIGHT,
        line="M" + "L".join(f"{x(place)} {y(track.medians[place])}" for place in places),
        dots="".join(dots[:-1]),
        last=dots[-1],
        intervals="".join(f"M{x(place)} {y(track.lows[place])}V{y(track.highs[place])}" for place in known),
        changes="".join(f"M{x(place)} 0V{HEIGHT}" for place in track.changes),
        text=f"{count(len(track.runs), 'run')}, the newest {in_ms(track.medians[-1], decimals)} ms; "
        f"the axis goes from {in_ms(low, decimals)} to {in_ms(high, decimals)} ms",
    )


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
