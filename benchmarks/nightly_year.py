"""A year of nights with planted regressions: what is told, when, and what is told for nothing.

    .venv/bin/python benchmarks/nightly_year.py [SEED]

365 nights of 400 cells on ten devices: seven quiet (rounds differ by 0.5 to 1 %), two noisy (2 %), one that
drifts and changes between two clocks. Each device has an offset of its own each night (0.5 %) and walks
(0.1 % a night); six are replaced by others that are 5 to 15 % faster or slower. Twenty times a build makes
one cell slower, by 3 to 30 %. Each night is compared with the last good one by the rules of farm: rounds of
two nights settle most cells, the others get 20 fresh pairs of old and new, with false discovery rates over
the night. What is told becomes the new normal by the next day (people move the tag). The functions are
those that `farm nightly` calls. Prints pass or fail for each bound.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from farm.analysis.effects import paired, unpaired
from farm.analysis.verdicts import decide, false_discovery_rates, screen_settles
from farm.model.comparison import Change, Comparison, Effect, Verdict
from farm.model.run import CellResult, CellStatus, Results
from farm.nightly.findings import night_of
from farm.nightly.news import is_good, news_of
from farm.nightly.nouns import Kind, State
from tests.data.results import make

NIGHTS, DEVICES, CELLS_EACH, ROUNDS, PAIRS, LEAST = 365, 10, 40, 10, 20, 0.03
SIZES = (3, 3, 4, 5, 5, 6, 6, 8, 8, 10, 10, 12, 12, 15, 15, 20, 20, 25, 30, 30)
"""Percent, of the planted regressions."""
NOISES = (0.005, 0.005, 0.006, 0.007, 0.008, 0.009, 0.01, 0.02, 0.02, 0.012)
ODD = 9
"""The device that drifts within a night and changes between two clocks."""
LAST_GOOD = "last-good"
MOST_LATE, FEWEST_FOUND, MOST_FALSE = 2, 18, 2
START = date(2026, 1, 1)


@dataclass
class Farm:
    """Devices with their state, and the builds' effect on each cell as logarithms."""

    draw: random.Random
    level: list[float] = field(default_factory=lambda: [0.0] * DEVICES)
    effect: list[float] = field(default_factory=lambda: [0.0] * (DEVICES * CELLS_EACH))

    def night(self) -> list[float]:
        """The offset of each device, for one night."""
        self.level = [one + self.draw.gauss(0, 0.001) for one in self.level]
        return [one + self.draw.gauss(0, 0.005) for one in self.level]

    def rounds(self, cell: int, log_ms: float, number: int) -> list[float]:
        """Times of consecutive rounds in ms."""
        device = cell // CELLS_EACH
        logs = [log_ms + self.draw.gauss(0, NOISES[device]) for _ in range(number)]
        if device == ODD:
            drift = self.draw.uniform(0, 0.04)
            logs = [
                one + drift * place / number + 0.05 * (self.draw.random() < 0.15)
                for place, one in enumerate(logs)
            ]
        return [10 * math.exp(one) for one in logs]

    def pairs(self, cell: int, old: float, new: float) -> Effect:
        """Fresh pairs in one lease: the device's own level is in both sides."""
        both = self.rounds(cell, 0.0, 2 * PAIRS)
        before = [one * math.exp(old) for one in both[::2]]
        return paired(before, [one * math.exp(new) for one in both[1::2]])


@dataclass
class Told:
    """The year's news: cell and night of each change that was told, and how many cells got fresh pairs."""

    slower: list[tuple[int, int]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    inconclusive: set[tuple[int, int]] = field(default_factory=set)
    confirmed: int = 0


def name(cell: int) -> str:
    return f"arm-{cell // CELLS_EACH}/m{cell % CELLS_EACH}/default"


def compared(farm: Farm, good: Night, now: Night, told: Told, number: int) -> list[Comparison]:
    """Tonight against the last good night, cell by cell, as a bench with a baseline does it."""
    screens = [unpaired(before, after) for before, after in zip(good.times, now.times, strict=True)]
    opened = [cell for cell, one in enumerate(screens) if not screen_settles(one, LEAST)]
    fresh = {cell: farm.pairs(cell, good.effect[cell], now.effect[cell]) for cell in opened}
    rates = (
        dict(zip(fresh, false_discovery_rates([one.p for one in fresh.values()]), strict=True))
        if fresh
        else {}
    )
    told.confirmed += len(fresh)
    made = []
    for cell, screen in enumerate(screens):
        confirm = fresh.get(cell)
        verdict = decide(confirm, rates[cell], LEAST) if confirm else Verdict.UNCHANGED
        if verdict is Verdict.INCONCLUSIVE:
            told.inconclusive.add((cell, number))
        device, _, _ = name(cell).partition("/")
        made.append(
            Comparison(
                device, name(cell), name(cell), Change.BUILD, verdict, "", screen=screen, confirm=confirm
            )
        )
    return made


@dataclass(frozen=True)
class Night:
    times: Sequence[Sequence[float]]
    effect: Sequence[float]


def year(seed: int) -> tuple[dict[tuple[int, int], int], Told]:
    """The planted regressions, by cell and night, and what was told."""
    draw = random.Random(seed)
    farm, told, state = Farm(draw), Told(), State()
    cells = DEVICES * CELLS_EACH
    planted = {
        (cell, draw.randrange(20, NIGHTS - 10)): size
        for cell, size in zip(draw.sample(range(cells), len(SIZES)), SIZES, strict=True)
    }
    replaced = {draw.randrange(20, NIGHTS - 10): device for device in draw.sample(range(DEVICES), 6)}
    frame = results_of(cells)
    good: Night | None = None
    for number in range(NIGHTS):
        if number in replaced:
            farm.level[replaced[number]] += draw.choice((-1, 1)) * draw.uniform(0.05, 0.15)
        for (cell, at), size in planted.items():
            if at == number:
                farm.effect[cell] += math.log1p(size / 100)
        offsets = farm.night()
        times = [
            farm.rounds(cell, offsets[cell // CELLS_EACH] + farm.effect[cell] + draw.gauss(0, 0.003), ROUNDS)
            for cell in range(cells)
        ]
        now = Night(times, tuple(farm.effect))
        comparisons = compared(farm, good, now, told, number) if good else []
        results = replace(frame, run_id=f"n{number}")
        today = START + timedelta(days=number)
        night = night_of(results, {LAST_GOOD: comparisons}, (), today, min_measured=0.9)
        night = replace(night, baselines=frozenset({LAST_GOOD}))
        news, state = news_of(night, state)
        for one in news:
            if one.kind is Kind.SLOWER:
                told.slower.append((next(cell for cell in range(cells) if name(cell) == one.cell), number))
            elif one.kind is not Kind.ENDED:
                told.others.append(f"night {number}: {one.kind} {one.cell}")
        if is_good(night, state, ()) or any(one.kind is Kind.SLOWER for one in news):
            good = now
    return planted, told


def results_of(cells: int) -> Results:
    """A run in which every cell was measured."""
    made = make.small()
    one = made.cells[0]
    every: list[CellResult] = []
    for cell in range(cells):
        device, model, variant = name(cell).split("/")
        every.append(replace(one, device=device, model=model, variant=variant, status=CellStatus.COMPLETED))
    return replace(made, cells=tuple(every), outputs=(), comparisons=(), duels=())


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    planted, told = year(seed)
    found, late = 0, []
    for (cell, at), size in sorted(planted.items(), key=lambda one: one[1]):
        nights = [number - at + 1 for told_cell, number in told.slower if told_cell == cell and number >= at]
        took = nights[0] if nights else None
        open_nights = sum(1 for one, number in told.inconclusive if one == cell and number >= at)
        is_found = took is not None and took <= MOST_LATE
        is_open = size == 3 and open_nights > 0
        found += is_found or is_open
        if not is_found:
            late.append(
                f"+{size} %: {f'night {took}' if took else 'never'}, {open_nights} nights inconclusive"
            )
    right = {(cell, at) for cell, at in planted}
    false = [
        (cell, number) for cell, number in told.slower
        if not any(cell == one and number >= at for one, at in right)
    ]  # fmt: skip
    other = f"{len(told.slower)} told as slower, {len(told.others)} other news"
    print(f"seed {seed}: {len(planted)} planted, {other}")
    for line in (*late, *told.others[:5]):
        print(f"      {line}")
    print(f"      {told.confirmed / NIGHTS:.1f} of {DEVICES * CELLS_EACH} cells a night got fresh pairs")
    said = f"{found} of {len(planted)} found within {MOST_LATE} nights (+3 %: or inconclusive)"
    tell(found >= FEWEST_FOUND, said)
    number = len(false) + len(told.others)
    tell(number <= MOST_FALSE, f"{number} false notifications in the year")


def tell(is_good_: bool, text: str) -> None:
    print(f"{'pass' if is_good_ else 'FAIL'}  {text}")


if __name__ == "__main__":
    main()
