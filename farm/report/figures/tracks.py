"""What the device was like over the rounds: tracks of temperature and frequency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from farm.report.figures.lines import unbroken
from farm.report.figures.scales import Scale, axis, finite, linear, plain
from farm.report.figures.thin import MOST_POINTS, name_of, peaks, said
from farm.report.figures.view import Axis, Lane, Point, Tick, Tracks
from farm.report.numerals import count

MOST_LANES = 4


@dataclass(frozen=True)
class Reading:
    """Of one round: its value between its lowest and its highest, in the track's unit."""

    low: float
    value: float
    high: float


@dataclass(frozen=True)
class Track:
    """A reading per round, None where the device did not say it; `label` has the unit in it."""

    label: str
    readings: tuple[Reading | None, ...]


def tracks(series: Sequence[Track], throttled: Sequence[bool]) -> Tracks | None:
    """Series over the same rounds, and whether the device was slowed down in each of these.

    None where nothing is known, or of one round only.
    """
    total = len(throttled)
    shown = [one for one in series if finite(r.value for r in one.readings if r)][:MOST_LANES]
    if total < 2 or not shown:
        return None
    lanes = [_lane(one, total) for one in shown]
    spans = _spans(throttled)
    slowed = sum(throttled)
    return Tracks(
        title="The device over these rounds",
        text="; ".join(
            [
                *(_told(one) for one in shown),
                f"slowed down in {slowed} of {count(total, 'round')}" if slowed else "not slowed down",
            ]
        ),
        note=said(min(total, MOST_POINTS // 2), total, "rounds") if total > MOST_POINTS // 2 else None,
        lanes=tuple(lanes),
        rounds=_rounds(total),
        throttled=spans,
    )


def _lane(one: Track, total: int) -> Lane:
    readings = [_sound(r) for r in one.readings[:total]]
    known = [r for r in readings if r]
    scale = linear([v for r in known for v in (r.low, r.high)], margin=0.05)
    drawn = peaks([r.value if r else None for r in readings], MOST_POINTS // 2)
    parts: list[list[tuple[float, Reading]]] = [[]]
    for i in drawn:
        reading = readings[i]
        if reading:
            parts[-1].append((_place(i, total), reading))
        else:
            parts.append([])
    return Lane(
        axis=axis(scale, name_of(one.label), most=3),
        lines=unbroken(
            [(_place(i, total), scale.at(r.value)) if (r := readings[i]) else None for i in drawn]
        ),
        bands=tuple(_band(part, scale) for part in parts if len(part) > 1),
    )


def _sound(reading: Reading | None) -> Reading | None:
    if reading is None or len(finite((reading.low, reading.value, reading.high))) < 3:
        return None
    low, value, high = sorted(finite((reading.low, reading.value, reading.high)))
    return Reading(low, value, high)


def _band(part: Sequence[tuple[float, Reading]], scale: Scale) -> tuple[Point, ...]:
    above = [(x, scale.at(r.high)) for x, r in part]
    return (*above, *((x, scale.at(r.low)) for x, r in reversed(part)))


def _place(index: int, total: int) -> float:
    return (index + 0.5) / total


def _spans(throttled: Sequence[bool]) -> tuple[tuple[float, float], ...]:
    """Rounds in a row as one span; the nearest ones become one where there are too many to draw."""
    total, runs = len(throttled), list[list[int]]()
    for i, is_slow in enumerate(throttled):
        if not is_slow:
            continue
        near = max(total // MOST_POINTS, 1)
        if runs and i - runs[-1][1] <= near:
            runs[-1][1] = i
        else:
            runs.append([i, i])
    return tuple((first / total, (last + 1) / total) for first, last in runs)


def _rounds(total: int) -> Axis:
    every = max(math.ceil(total / 6), 1)
    return Axis("round", tuple(Tick(_place(i, total), f"{i + 1:,}") for i in range(0, total, every)))


def _told(one: Track) -> str:
    values = [v for r in map(_sound, one.readings) if r for v in (r.low, r.high)]
    return (
        f"{name_of(one.label)} from {plain(min(values))} to {plain(max(values))}"
        if values
        else name_of(one.label)
    )
