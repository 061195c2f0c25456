"""A series on a terminal: a line with its sparkline, and a few for each change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.text import Text

from farm.cli.terminal.console import out, plain
from farm.compare.words import SYMBOLS, percent
from farm.history.nouns import WORDS, ChangePoint, Point, Reading, Suspect, Why
from farm.model.comparison import Verdict
from farm.report.numerals import MISSING, count, decimals_for, in_ms

BLOCKS, ASCII = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588", "_.-=+*#@"
MOST_POINTS = 60
"""In a sparkline: the newest."""
MOST_EVIDENCE = 5


def lines(reading: Reading) -> Iterator[Text]:
    points = reading.series.points
    measured = [one for one in points if one.median_ms is not None]
    decimals = decimals_for([one.median_ms for one in measured if one.median_ms is not None])
    newest = measured[-1].median_ms if measured else None
    head = plain(reading.series.key.id, "bold")
    yield head.append(f"  {in_ms(newest, decimals)} ms" if measured else f"  {MISSING}")
    blocks = ASCII if out.options.ascii_only else BLOCKS
    noise = "" if reading.noise is None else f", noise {percent(reading.noise, signed=False)} a run"
    yield plain(f"  {sparkline(points[-MOST_POINTS:], blocks)}  {_span(points)}{noise}")
    for change in reading.changes:
        yield from _change(change, points, decimals)
    for mark in reading.marks:
        if mark.why is Why.OTHER:
            text = f"  \u2260 {WORDS[mark.why]} since {points[mark.at].run}: earlier times are not compared"
            yield plain(text, "dim")
    if reading.suspect:
        yield _suspect(reading.suspect, decimals)


def sparkline(points: Sequence[Point], blocks: str) -> str:
    """A character for each point, on an axis from the lowest to the highest; `x` for what failed."""
    known = [one.median_ms for one in points if one.median_ms is not None and math.isfinite(one.median_ms)]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)

    def block(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return "x"
        part = (value - low) / (high - low) if high > low else 0.0
        return blocks[min(int(part * len(blocks)), len(blocks) - 1)]

    return "".join(block(one.median_ms) for one in points)


def _span(points: Sequence[Point]) -> str:
    first, last = points[0].started_at[:10], points[-1].started_at[:10]
    return f"{count(len(points), 'run')}, {first}" + (f" to {last}" if last != first else "")


def _change(change: ChangePoint, points: Sequence[Point], decimals: int) -> Iterator[Text]:
    is_slower = change.ratio >= 1
    symbol = SYMBOLS[Verdict.SLOWER if is_slower else Verdict.FASTER]
    style = "dim" if change.why is Why.CONTEXT else "red" if is_slower else "green"
    bounds = ""
    if change.low is not None and change.high is not None:
        bounds = f" (95 %: {percent(change.low - 1).removesuffix(' %')} to {percent(change.high - 1)})"
    day = points[change.at].started_at[:10]
    yield plain(f"  {symbol} {percent(change.ratio - 1)}{bounds} since {change.after}, {day}", style)
    yield plain(
        f"    {in_ms(change.before_ms, decimals)} to {in_ms(change.after_ms, decimals)} ms: "
        f"{count(change.points_before, 'run')} before, {change.points_after} after; {WORDS[change.why]}",
        "dim",
    )
    for line in change.evidence[:MOST_EVIDENCE]:
        yield plain(f"      {line}", "dim")
    if len(change.evidence) > MOST_EVIDENCE:
        yield plain(f"      and {len(change.evidence) - MOST_EVIDENCE} more (--json)", "dim")


def _suspect(suspect: Suspect, decimals: int) -> Text:
    return plain(
        f"  ? {suspect.run} is {percent(suspect.ratio - 1)} off its level of "
        f"{in_ms(suspect.level_ms, decimals)} ms: one run is no change yet",
        "yellow",
    )
