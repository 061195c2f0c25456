"""What a series tells: its changes, each with what is known to have changed there, and its newest point."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from farm.analysis.effects import unpaired
from farm.compare.fingerprint import TRAITS
from farm.history.change_points import change_points, noise_of
from farm.history.nouns import ChangePoint, Mark, Point, Reading, Series, Suspect, Why
from farm.model.comparison import Change

MOST_SIGMAS = 4.0
"""A newest point that is farther off its level is a suspect: of noise alone one in 16,000."""

SHORTEST_MS, LONGEST_MS = 1e-9, 1e12
"""A millionth of what a clock resolves, and thirty years: what is outside is no time of an inference."""

_WHY = {Change.MODEL: Why.OTHER, Change.VARIANT: Why.OTHER, Change.BUILD: Why.BUILD}
WHY_OF = {
    trait.label: _WHY.get(trait.part_of, Why.CONTEXT) if trait.part_of else Why.CONTEXT for trait in TRAITS
}
INSTEAD_OF = {trait.label: trait.unless for trait in TRAITS if trait.unless}
STRONGEST = (Why.OTHER, Why.BUILD, Why.CONTEXT)


def read(series: Series, minimum_effect: float) -> Reading:
    """The changes of at least `minimum_effect` (0.03 for 3 %). Numbers of another model, input or other
    options are not compared with those before.
    """
    marks = tuple(_marks(series.points))
    starts = [mark.at for mark in marks if mark.why is Why.OTHER]
    changes: list[ChangePoint] = []
    noise, suspect = None, None
    bounds = [0, *starts, len(series.points)]
    for first, end in pairwise(bounds):
        places = [at for at in range(first, end) if is_measured(series.points[at])]
        logs = [math.log(series.points[at].median_ms or 1.0) for at in places]
        noise = noise_of(logs, [series.points[at].values_ms for at in places])
        if noise is None:
            suspect = None
            continue
        least = math.log1p(minimum_effect)
        found = change_points(logs, noise, least)
        changes += _changes(series.points, places, found, marks)
        level = logs[found[-1] if found else 0 :]
        suspect = _suspect(series.points[places[-1]], level, max(least, MOST_SIGMAS * noise))
    return Reading(series, tuple(changes), marks, suspect, None if noise is None else math.expm1(noise))


def alike(points: Sequence[Point], one: Point, whys: Collection[Why] = (Why.OTHER,)) -> list[Point]:
    """Those that are of the same model, input and options as `one` (and of what else `whys` name), as far as
    both say it.
    """
    labels = [label for label, why in WHY_OF.items() if why in whys]
    wanted = {label: text for label, text in (one.context or {}).items() if label in labels}
    return [point for point in points if not list(_unequal(wanted, dict(point.context or {})))]


def changed_between(before: Point, after: Point, why: Why) -> tuple[str, ...]:
    """What of this kind is known to differ: `governor: performance and schedutil`."""
    one, other = dict(before.context or {}), dict(after.context or {})
    labels = [label for label in _unequal(one, other) if WHY_OF.get(label) is why]
    return tuple(f"{label}: {one[label]} and {other[label]}" for label in labels)


def is_measured(point: Point) -> bool:
    """Whether it has a time that can be one."""
    return point.median_ms is not None and SHORTEST_MS <= point.median_ms <= LONGEST_MS


def _marks(points: Sequence[Point]) -> Iterator[Mark]:
    """Where something is known to differ from the last point that told it."""
    known: dict[str, str] = {}
    for at, point in enumerate(points):
        now = dict(point.context or {})
        labels = [label for label in _unequal(known, now) if label in WHY_OF]
        if labels:
            kinds = {WHY_OF[label] for label in labels}
            why = next(one for one in STRONGEST if one in kinds)
            yield Mark(at, why, tuple(f"{one}: {known[one]} and {now[one]}" for one in labels))
        known |= now


def _unequal(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    common = before.keys() & after.keys()
    for trait in TRAITS:
        label = trait.label
        if label in common and INSTEAD_OF.get(label) not in common and before[label] != after[label]:
            yield label


def _changes(
    points: Sequence[Point], places: Sequence[int], found: Sequence[int], marks: Sequence[Mark]
) -> Iterator[ChangePoint]:
    """`places` are the measured points of a part of a series, `found` the changes as numbers of these."""
    bounds = [0, *found, len(places)]
    for number, begin in enumerate(found):
        before = [points[at].median_ms or 0.0 for at in places[bounds[number] : begin]]
        after = [points[at].median_ms or 0.0 for at in places[begin : bounds[number + 2]]]
        effect = unpaired(before, after)
        old, new = statistics.median(before), statistics.median(after)
        last, first = places[begin - 1], places[begin]
        known = [mark for mark in marks if last < mark.at <= first]
        yield ChangePoint(
            at=first,
            before=points[last].run,
            after=points[first].run,
            before_ms=old,
            after_ms=new,
            points_before=len(before),
            points_after=len(after),
            ratio=new / old,
            low=effect.low,
            high=effect.high,
            why=next((why for why in STRONGEST if any(one.why is why for one in known)), Why.UNKNOWN),
            evidence=tuple(line for mark in known for line in mark.evidence),
        )


def _suspect(newest: Point, level: Sequence[float], least: float) -> Suspect | None:
    """`level` are the logarithms of the points since the last change, the newest one among them."""
    if len(level) < 3:
        return None
    middle = statistics.median(level[:-1])
    step = level[-1] - middle
    return Suspect(newest.run, math.exp(middle), math.exp(step)) if abs(step) >= least else None
