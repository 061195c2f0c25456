"""How long rounds will take, from those that were measured: by earlier runs, or since a run began. Pure."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from farm.model.matrix import Cell, Plan, RoundKind
from farm.model.options import Value
from farm.model.run import CellResult, Results, RoundResult

LEAST_SPREAD = 0.05
"""As a fraction: what no number of rounds tells, such as another temperature."""
UNKNOWN_SPREAD = 0.3
"""Of a cell that was never measured: others of its device stand for it."""

Times = Mapping[str, Sequence[float]]
"""How long rounds took, in seconds, by the id of their cell."""


@dataclass(frozen=True)
class Span:
    """From about `low_s` to about `high_s` seconds: some 95 times of 100 it is between them."""

    low_s: float
    high_s: float

    def __add__(self, other: Span) -> Span:
        return Span(self.low_s + other.low_s, self.high_s + other.high_s)

    @property
    def text(self) -> str:
        """`about 12 to 15 min`."""
        return f"about {self.bare}"

    @property
    def bare(self) -> str:
        """`12 to 15 min`."""
        unit_s, unit = next((u for u in UNITS if self.high_s >= 2 * u[0]), UNITS[-1])
        low, high = (max(1, math.ceil(value_s / unit_s)) for value_s in (self.low_s, self.high_s))
        return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


UNITS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))


def span(times: Times, counts: Mapping[str, int]) -> Span | None:
    """How long `counts` rounds by cell take; None where no time at all is known.

    The spread is twice the standard deviation of the sum, as far as the measured rounds tell it: that of the
    rounds to come, and that of their mean, which few rounds tell badly.
    """
    known = {cell: found for cell, found in times.items() if found}
    if not known:
        return None
    typical_s = statistics.fmean(time_s for found in known.values() for time_s in found)
    total_s = variance = unknown_s = 0.0
    for cell, count in counts.items():
        found = known.get(cell)
        if found is None:
            unknown_s += count * typical_s
            continue
        total_s += count * statistics.fmean(found)
        deviation_s = statistics.stdev(found) if len(found) > 1 else UNKNOWN_SPREAD / 2 * found[0]
        variance += deviation_s**2 * (count + count**2 / len(found))
    spread_s = max(2 * math.sqrt(variance), LEAST_SPREAD * total_s) + UNKNOWN_SPREAD * unknown_s
    total_s += unknown_s
    return Span(max(total_s - spread_s, 0.0), total_s + spread_s)


# --------------------------------------------------------------------------- by earlier runs


@dataclass(frozen=True)
class Expected:
    """How long a plan will take on its slowest device. `most` is with all that may be confirmed, None where
    that is not known; `unknown` cells were in none of the `runs` that were looked at.
    """

    screen: Span
    most: Span | None
    unknown: int
    cells: int
    runs: int

    @property
    def text(self) -> str:
        runs = f"{self.runs} earlier run{'' if self.runs == 1 else 's'}"
        new = f"; {self.unknown} of {self.cells} cells were not in them" if self.unknown else ""
        more = f", at most {self.most.bare} with what is confirmed" if self.most else ""
        return f"{self.screen.text}{more} (by {runs}{new})"


def expected(plan: Plan, past: Sequence[Results]) -> Expected | None:
    """None where no earlier run had one of the plan's devices with these options."""
    times, around = _times(past), _around(past)
    spans: list[tuple[Span, Span | None]] = []
    unknown = 0
    for device in plan.devices:
        cells = plan.cells_on.get(device.name, ())
        known = {cell.id: times.get(_key_of(cell), ()) for cell in cells}
        before_s, after_s = around.get(device.name, (0.0, 0.0))
        known = {cell: [time_s + after_s for time_s in found] for cell, found in known.items()}
        counts = {cell.id: sum(one.kind is not RoundKind.SETUP for one in cell.rounds) for cell in cells}
        total = span(known, counts)
        if total is None:
            continue
        unknown += sum(not found for found in known.values())
        whole = total + Span(before_s, before_s)
        spans.append((_limited(whole, plan.sampled.budget_s), _most(plan, device.name, known, whole)))
    if not spans:
        return None
    slowest, most = max(spans, key=lambda one: one[0].high_s)
    return Expected(slowest, most, unknown, len(plan.cells), len(past))


def _limited(screen: Span, budget_s: float | None) -> Span:
    """A budget ends the screen, too."""
    return screen if budget_s is None else Span(min(screen.low_s, budget_s), min(screen.high_s, budget_s))


def _most(plan: Plan, device: str, known: Times, screen: Span) -> Span | None:
    """With a budget that is the limit; without `auto` every duel may be confirmed with as many pairs."""
    sampling = plan.sampled
    duels = plan.duels_on.get(device, ())
    if sampling.budget_s is not None:
        most = Span(screen.low_s, max(screen.low_s, sampling.budget_s))
        return most if duels or sampling.is_auto else None
    dueling = {cell for duel in duels for cell in (duel.baseline, duel.candidate)}
    if sampling.is_auto or not dueling:
        return None
    more = span(known, dict.fromkeys(dueling, sampling.fresh_pairs))
    return Span(screen.high_s, screen.high_s + more.high_s) if more else None


Key = tuple[str, str, tuple[tuple[str, Value], ...]]


def _key_of(cell: Cell) -> Key:
    return cell.device.name, cell.model.name, tuple(sorted(cell.variant.options.as_dict().items()))


def _key_of_result(cell: CellResult) -> Key:
    return cell.device, cell.model, tuple(sorted(cell.options.items()))


def _times(past: Iterable[Results]) -> dict[Key, list[float]]:
    """Wall times of timed rounds, by device, model and options: builds hardly change them."""
    found: defaultdict[Key, list[float]] = defaultdict(list)
    for results in past:
        for cell in results.cells:
            moments = (_moment(one) for one in cell.rounds if one.kind is RoundKind.TIMED)
            found[_key_of_result(cell)] += [moment[1] for moment in moments if moment is not None]
    return found


def _around(past: Iterable[Results]) -> dict[str, tuple[float, float]]:
    """By device, in seconds: from the start of a run to its first round, and between two rounds. Medians."""
    before: defaultdict[str, list[float]] = defaultdict(list)
    between: defaultdict[str, list[float]] = defaultdict(list)
    for results in past:
        rounds: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        for cell in results.cells:
            rounds[cell.device] += [moment for one in cell.rounds if (moment := _moment(one)) is not None]
        began_s = _seconds(results.started_at)
        for device, moments in rounds.items():
            moments.sort()
            if began_s is not None and moments:
                before[device].append(max(moments[0][0] - began_s, 0.0))
            between[device] += [
                max(after[0] - start_s - wall_s, 0.0) for (start_s, wall_s), after in pairwise(moments)
            ]
    return {
        device: (statistics.median(found), statistics.median(between[device] or [0.0]))
        for device, found in before.items()
    }


def _moment(one: RoundResult) -> tuple[float, float] | None:
    """When a round began and how long it took, in seconds; None where it does not say so."""
    start_s, wall_s = _seconds(one.started_at), one.wall_s
    if start_s is None or wall_s is None or not math.isfinite(wall_s) or wall_s < 0:
        return None
    return start_s, wall_s


def _seconds(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except (ValueError, OverflowError):
        return None
