"""The executive summary: five lines of plain text, for a mail. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from farm.analysis.means import Mean
from farm.compare.words import change_of, interval, percent
from farm.model.comparison import Verdict
from farm.release.decide import Column, Group, Release, groups
from farm.release.nouns import Compared, Key
from farm.report.numerals import count
from farm.visible import one_line

MOST_CLASSES = 4
MOST_REASONS = 3
LONGEST_NAME = 80
LONGEST_REASON = 60


def summary(release: Release) -> tuple[str, ...]:
    """Decision; what was compared; change by class of devices; worst and best; what was not measured."""
    column = release.last
    return (
        _decision(column),
        _compared(release, column),
        _means(release, column),
        _extremes(column),
        f"{_not_measured(release)} {canaries_text(column)}.",
    )


def by_kind(release: Release, column: Column) -> list[Group]:
    """The classes of devices; cells of a model are related."""
    return groups(column, {key: release.kind_of(key.device) for key in column.cells}, "model")


def _mean_text(mean: Mean | None) -> str:
    """`-2.1 % (-3.0 to -1.2 %) over 47 cells`."""
    if mean is None:
        return "not measured"
    bounds = bounds_text(mean)
    shown = f"{percent(mean.ratio - 1)} ({bounds})" if bounds else percent(mean.ratio - 1)
    return f"{shown} over {count(mean.count, 'cell')} of {count(mean.groups, 'model')}"


def bounds_text(mean: Mean) -> str:
    if mean.low is None or mean.high is None:
        return ""
    return f"{percent(mean.low - 1).removesuffix(' %')} to {percent(mean.high - 1)}"


def canaries_text(column: Column) -> str:
    seen = column.canaries
    if not seen.total:
        return "A/A: no cell was compared with itself, so the rate of false changes is not known"
    said = f"A/A: {seen.changed} of {count(seen.total, 'cell')} differed from themselves"
    return f"{said}, more than chance explains" if seen.is_out_of_bounds else said


def short(text: str, longest: int = LONGEST_NAME) -> str:
    return one_line(text, longest)


def _decision(column: Column) -> str:
    wrong = f"{count(len(column.wrong), 'cell')} with wrong outputs, " if column.wrong else ""
    found = column.counts
    undecided = found[Verdict.INCONCLUSIVE] + found[Verdict.INVALID] + column.missing
    told = (
        f"{found[Verdict.SLOWER]:,} slower, {found[Verdict.FASTER]:,} faster, "
        f"{found[Verdict.UNCHANGED]:,} unchanged, {undecided:,} not decided"
    )
    sides = f"{short(column.step.new.name)} against {short(column.step.old.name)}"
    return f"{column.decision}: {sides}: {wrong}{told if column.cells else 'nothing was compared'}."


def _compared(release: Release, column: Column) -> str:
    devices, models = ({getattr(key, part) for key in column.cells} for part in ("device", "model"))
    runs = {one.run for one in column.cells.values()}
    fresh = sum(one.is_fresh for one in column.cells.values())
    nights = sum(not one.is_paired for one in column.cells.values() if one.ratio is not None)
    where = f"{count(len(devices), 'device')} with {count(len(models), 'model')}"
    said = [
        f"Compared: {column.compared:,} of {count(column.total, 'cell')} on {where}",
        f"from {len(runs)} of {count(len(release.runs), 'run')}",
    ]
    if fresh:
        said.append(f"{fresh:,} with fresh pairs")
    if nights:
        said.append(f"{nights:,} between two nights")
    unread = sum(run.problem is not None for run in release.runs)
    if unread:
        said.append(f"{count(unread, 'run')} cannot be read")
    return f"{', '.join(said)}."


def _means(release: Release, column: Column) -> str:
    found = sorted(by_kind(release, column), key=lambda group: -group.cells)
    told = [f"{short(one.name)} {_mean_text(one.mean)}" for one in found[:MOST_CLASSES]]
    if len(found) > MOST_CLASSES:
        told.append(f"{len(found) - MOST_CLASSES} more classes of devices")
    shown = "; ".join(told) or "nothing was compared"
    return f"Change of the time (geometric mean, 95 % interval; above 0 is slower): {shown}."


def _extremes(column: Column) -> str:
    slower, faster = column.ranked(Verdict.SLOWER), column.ranked(Verdict.FASTER)
    said = [
        f"Worst: {_told(max(slower, key=_ratio))}" if slower else "Worst: nothing is confirmed to be slower",
        f"best: {_told(min(faster, key=_ratio))}" if faster else "best: nothing is confirmed to be faster",
    ]
    still_open = [pair for pair in column.ranked(Verdict.INCONCLUSIVE) if pair[1].ratio is not None]
    if still_open:
        said.append(f"largest that is open: {_told(max(still_open, key=_ratio))}")
    return f"{'; '.join(said)}."


def _ratio(pair: tuple[Key, Compared]) -> float:
    return pair[1].ratio or 0.0


def _told(pair: tuple[Key, Compared]) -> str:
    key, one = pair
    effect = one.effect
    if effect is None:
        return short(key.text)
    bounds = interval(effect)
    return f"{short(key.text)} {change_of(effect)}" + (f" ({bounds})" if bounds else "")


def _not_measured(release: Release) -> str:
    found = Counter(one.what for one in release.unmeasured)
    if not found:
        return "Not measured: nothing is missing."
    return f"Not measured: {', '.join(_reasons(release, list(found)))}."


def _reasons(release: Release, kinds: Sequence[str]) -> Iterator[str]:
    """`3 failed (signal 11)`: each kind with its most frequent reasons."""
    for kind in kinds:
        reasons = Counter(one.reason for one in release.unmeasured if one.what == kind)
        told = [short(reason, LONGEST_REASON) for reason, _ in reasons.most_common(MOST_REASONS) if reason]
        more = f"; {len(reasons) - MOST_REASONS} more reasons" if len(reasons) > MOST_REASONS else ""
        yield f"{reasons.total():,} {kind}" + (f" ({'; '.join(told)}{more})" if told else "")
