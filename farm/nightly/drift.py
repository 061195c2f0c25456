"""Which devices drift against their own class. Pure: series in, a word on each device out.

A build that is slower is slower on all devices of a class; what moves on one of them alone is the device:
dust, a worn battery, another BIOS. Each median is taken as a logarithm relative to the cell's own usual level
on that device, less what its class did that night (the median over the class), and the device's number is the
median over its cells.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from farm.history.change_points import TO_DEVIATION
from farm.history.nouns import Point, Series
from farm.history.reading import alike, is_measured
from farm.model.device import Facts
from farm.visible import one_line

FEWEST_DEVICES = 3
"""Of two that part nobody knows which one moved."""
FEWEST_NIGHTS = 6
"""Before the last ones, to know what is usual."""
MOST_NIGHTS = 30
IN_A_ROW = 2
"""Nights on which it has to be seen: a single one may be hot."""
MOST_SIGMAS = 4.0
LEAST_APART_S = 43_200.0
LONGEST_KIND = 80


@dataclass(frozen=True)
class Drift:
    """A device that moved by `ratio` (above 1 is slower) against the other devices of its class, seen in so
    many `cells`, against so many `nights`.
    """

    device: str
    kind: str
    ratio: float
    devices: int
    cells: int
    nights: int

    @property
    def sentence(self) -> str:
        change = f"{abs(self.ratio - 1):.1%} {'slower' if self.ratio > 1 else 'faster'}"
        cells = "1 cell" if self.cells == 1 else f"{self.cells} cells"
        return (
            f"{self.device} is {change} against its class ({self.kind}, {self.devices} devices) than in the "
            f"{self.nights} nights before, in {cells}"
        )


def kind_of(facts: Facts | None) -> str | None:
    """What devices of one class have in common: architecture, chip and GPUs; None where no chip is known."""
    if facts is None or not (chip := facts.soc or facts.cpu_model or facts.board):
        return None
    names = (facts.architecture or "", chip, *sorted(gpu.name for gpu in facts.gpus if gpu.name))
    return one_line(" ".join(names), LONGEST_KIND)


Levels = Mapping[str, Mapping[str, float]]
"""By run and device: the logarithm of a cell's time, relative to its usual level."""


def drifting(
    series: Sequence[Series],
    kinds: Mapping[str, str],
    tonight: str,
    minimum_effect: float,
    since: Mapping[str, str] | None = None,
) -> dict[str, Drift | None]:
    """A word on each device of which enough is known: None where it moves with its class.

    `kinds` has the class of each device, `tonight` is the name of the newest run. `since` has, for devices
    that are known to drift, the run that told it: what came after is not usual, however long it lasts.
    """
    judged: dict[str, Drift | None] = {}
    known = since or {}
    for kind in sorted(set(kinds.values())):
        members = [name for name, one in kinds.items() if one == kind]
        if len(members) >= FEWEST_DEVICES:
            moved = _moved([one for one in series if one.key.device in members], tonight, known)
            for device, nights in moved.items():
                if tonight in nights:
                    how = _How(kind, len(members), minimum_effect, known.get(device))
                    judged[device] = _judge(device, nights, how)
    return judged


def _moved(
    series: Sequence[Series], tonight: str, since: Mapping[str, str]
) -> dict[str, dict[str, list[float]]]:
    """By device and run, oldest first: how far each of its cells was from what the class did."""
    found: defaultdict[str, dict[str, list[float]]] = defaultdict(dict)
    cells: defaultdict[tuple[str, str, str], list[Series]] = defaultdict(list)
    began: dict[str, float] = {}
    for one in series:
        cells[one.key.model, one.key.variant, one.key.build].append(one)
        began |= {point.run: point.started_s for point in one.points}
    for ones in cells.values():
        for run, by_device in _by_run(ones, tonight, since).items():
            if len(by_device) >= FEWEST_DEVICES:
                middle = statistics.median(by_device.values())
                for device, level in by_device.items():
                    found[device].setdefault(run, []).append(level - middle)
    return {
        device: dict(sorted(nights.items(), key=lambda one: began[one[0]]))
        for device, nights in found.items()
    }


def _by_run(ones: Sequence[Series], tonight: str, since: Mapping[str, str]) -> Levels:
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for one in ones:
        for run, level in _levels(one.points, tonight, since.get(one.key.device)):
            found[run][one.key.device] = level
    return found


def _levels(points: Sequence[Point], tonight: str, since: str | None) -> Iterator[tuple[str, float]]:
    """Up to tonight, relative to the median of the nights that are usual."""
    names = [point.run for point in points]
    if tonight not in names:
        return
    last = points[names.index(tonight)]
    known = _nightly(alike([point for point in points if is_measured(point)], last), last)
    usual_ones = _usual([point.run for point in known], since)[-MOST_NIGHTS:]
    logs = {point.run: math.log(point.median_ms or 1.0) for point in known}
    if len(usual_ones) < FEWEST_NIGHTS or tonight not in logs:
        return
    usual = statistics.median(logs[run] for run in usual_ones)
    for run in (*usual_ones, *(run for run in list(logs)[-IN_A_ROW:] if run not in usual_ones)):
        yield run, logs[run] - usual


def _nightly(points: Sequence[Point], last: Point) -> list[Point]:
    """Up to the last one, and no two that are closer together than half a day: a hot evening is one night."""
    found: list[Point] = []
    for point in reversed(points):
        if point is last or (found and found[-1].started_s - point.started_s >= LEAST_APART_S):
            found.append(point)
    return found[::-1]


def _usual(runs: Sequence[str], since: str | None) -> Sequence[str]:
    """Those before the last ones; of a device that drifts since a run, those before it was first seen."""
    end = len(runs) - IN_A_ROW
    if since in runs:
        end = min(end, runs.index(since) - (IN_A_ROW - 1))
    return runs[: max(end, 0)]


@dataclass(frozen=True)
class _How:
    """The class of a device, how many are in it, and since when it is known to drift."""

    kind: str
    devices: int
    minimum_effect: float
    since: str | None


def _judge(device: str, nights: Mapping[str, Sequence[float]], how: _How) -> Drift | None:
    """A device that is known to drift does so until it is back on each of the last nights."""
    levels = {run: statistics.median(each) for run, each in nights.items()}
    before = [levels[run] for run in _usual(list(levels), how.since)]
    if len(before) < FEWEST_NIGHTS:
        return None
    middle = statistics.median(before)
    noise = TO_DEVIATION * statistics.median([abs(one - middle) for one in before])
    least = max(math.log1p(how.minimum_effect), MOST_SIGMAS * noise)
    steps = [one - middle for one in list(levels.values())[-IN_A_ROW:]]
    holds = any if how.since else all
    if not (holds(one >= least for one in steps) or holds(one <= -least for one in steps)):
        return None
    cells = len(list(nights.values())[-1])
    return Drift(device, how.kind, math.exp(statistics.median(steps)), how.devices, cells, len(before))
