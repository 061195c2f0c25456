"""Verdicts of comparisons that are put together from recorded real rounds, by farm's own code throughout.

    .venv/bin/python benchmarks/verdicts_resampled.py [--comparisons 1000] [--budget 30] [--also busy] [FILE]

FILE (benchmarks/data/rounds.jsonl) has the values of rounds in the order in which they ran, as
benchmarks/record_rounds.py writes it. A comparison is made of blocks of 20 consecutive rounds from random
places of what was recorded: rounds 1 and 2 are a pair, 3 and 4, and so on, so what drifts and lasts stays
as it was. Which of a pair is the candidate is drawn; the candidate's times are multiplied by 1, 1.01, 1.05
or 1.10. Then goes on what `--rounds auto` does: a pilot of 10 pairs (30 more, where it would ask for very
many) may settle it, else it says how many fresh pairs (of other places) decide. With a budget of so many
pairs more is left undecided, and no slowdown may be `unchanged`.

Prints, for each model, label and slowdown, the share of each verdict and the fresh pairs (0: the pilot
settled it). Only rounds of quality `ok` count, as in a run, unless more are named by `--also`. Exit code 1
when a figure is missed; of what was recorded as `loaded` only false verdicts do.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import raw_records
from record_rounds import OUT

from farm.analysis.sample_size import PILOT_PAIRS
from farm.compare.duels import comparisons
from farm.model.comparison import Change, Comparing, Comparison, Duel, Phase, PhasePlan, Verdict
from farm.model.matrix import RoundKind, Sampling
from farm.model.run import (
    SCHEMA_VERSION,
    CellResult,
    CellStatus,
    Results,
    RoundResult,
    RoundStatus,
    RunStatus,
)
from farm.run.measure import sampler
from farm.run.measure.sampler import Screened

MINIMUM = 0.03
SAMPLING = Sampling(PILOT_PAIRS, is_auto=True)
DUEL = Duel("local/m/before", "local/m/after", Change.VARIANT)
RESULTS = Results(
    SCHEMA_VERSION, "r", "0", "", None, RunStatus.COMPLETED, (), 0, PILOT_PAIRS, (), (), (), (), duels=(DUEL,)
)
TOGETHER = 20
"""Consecutive rounds that stay together."""
PLANTED = (1.0, 1.01, 1.05, 1.10)
SHOWN = (Verdict.UNCHANGED, Verdict.SLOWER, Verdict.FASTER, Verdict.INCONCLUSIVE, Verdict.INVALID)
LINE = "{:32}{:>8}{:>9}{:>13}" + "{:>13}" * 5 + "{:>18}  {}"
HEADS = (
    "model, label",
    "planted",
    "budget",
    "comparisons",
    "unchanged",
    "slower",
    "faster",
    "inconclusive",
    "invalid",
)


@dataclass
class Tally:
    counts: Counter[Verdict] = field(default_factory=Counter)
    pairs: list[int] = field(default_factory=list)

    def share(self, *wanted: Verdict) -> float:
        return sum(self.counts[one] for one in wanted) / self.counts.total()


class Rounds:
    """What was recorded of one model under one label."""

    def __init__(self, blocks: list[list[float | None]]) -> None:
        self.blocks = [block for block in blocks if len(block) >= TOGETHER]
        self.weights = [len(block) - TOGETHER + 1 for block in self.blocks]

    def pairs(self, rng: random.Random, count: int, factor: float) -> tuple[list[float], list[float]]:
        """Round values in ms of so many pairs: baseline and candidate."""
        before: list[float] = []
        after: list[float] = []
        while len(before) < count:
            (block,) = rng.choices(self.blocks, self.weights)
            start = rng.randrange(len(block) - TOGETHER + 1)
            part = block[start : start + TOGETHER]
            for first, second in zip(part[::2], part[1::2], strict=True):
                if first is None or second is None or len(before) == count:
                    continue
                both = (first, second) if rng.random() < 0.5 else (second, first)
                before.append(both[0])
                after.append(both[1] * factor)
        return before, after

    def noise(self) -> tuple[float, float]:
        """MAD and standard deviation of the log ratios of neighbours."""
        logs = [
            math.log(b / a)
            for block in self.blocks
            for a, b in zip(block[::2], block[1::2], strict=False)
            if a and b
        ]
        return statistics.median(map(abs, logs)), statistics.pstdev(logs)


def compared(rounds: Rounds, rng: random.Random, factor: float, budget: int | None) -> tuple[Verdict, int]:
    """The verdict that a run with these rounds ends with, and the fresh pairs that it took."""
    comparison, fresh = comparison_of(rounds, rng, factor, budget)
    return comparison.verdict, fresh


def comparison_of(
    rounds: Rounds,
    rng: random.Random,
    factor: float,
    budget: int | None,
    minimum: float = MINIMUM,
    sampling: Sampling = SAMPLING,
) -> tuple[Comparison, int]:
    """The same with all that the run says of its two sides."""
    screen = cells(Phase.SCREEN, rounds.pairs(rng, PILOT_PAIRS, factor))
    left_s = None if budget is None else 2 * budget / sampler.MARGIN
    screened = Screened(
        "local", screen, (DUEL,), {}, sampling, Comparing(minimum), seconds_of=lambda _: 1.0, left_s=left_s
    )
    longer = sum(one.rounds for one in sampler.lengthened(screened).allotments)
    if longer:
        screen = with_rounds(screen, Phase.SCREEN, rounds.pairs(rng, longer, factor))
        left_s = None if left_s is None else left_s - 2 * longer
        screened = replace(screened, cells=screen, left_s=left_s)
    (allotment,) = sampler.decide(screened).allotments
    both = with_rounds(screen, Phase.CONFIRM, rounds.pairs(rng, allotment.rounds, factor)).values()
    results = replace(
        RESULTS,
        cells=tuple(both),
        comparing=Comparing(minimum),
        phases=(PhasePlan("local", Phase.CONFIRM, (allotment,)),),
    )
    (comparison,) = comparisons(results)
    return comparison, longer + allotment.rounds


def with_rounds(
    known: dict[str, CellResult], phase: Phase, sides: tuple[list[float], list[float]]
) -> dict[str, CellResult]:
    more = cells(phase, sides, first=len(next(iter(known.values())).rounds))
    return {key: replace(cell, rounds=cell.rounds + more[key].rounds) for key, cell in known.items()}


def cells(phase: Phase, sides: tuple[list[float], list[float]], first: int = 0) -> dict[str, CellResult]:
    """Two variants of a model, as results.json has them after so many rounds of a phase."""
    made = {}
    for name, values_ms in zip(("before", "after"), sides, strict=True):
        timed = [
            RoundResult(RoundKind.TIMED, index, RoundStatus.COMPLETED, value_ms=value_ms, phase=phase)
            for index, value_ms in enumerate(values_ms, first)
        ]
        cell = CellResult("local", "m", name, {}, (), CellStatus.COMPLETED, rounds=tuple(timed))
        made[cell.id] = cell
    return made


def is_met(tally: Tally, factor: float, *, is_free: bool) -> bool:
    """`is_free`: rounds without a load generator, as many as were asked for: a verdict is expected."""
    if factor == 1.0:
        is_clear = not is_free or tally.share(Verdict.UNCHANGED) >= 0.90
        return tally.share(Verdict.SLOWER, Verdict.FASTER) <= 0.01 and is_clear
    if factor < 1 + MINIMUM:
        return tally.share(Verdict.SLOWER) == 0
    return tally.share(Verdict.SLOWER) >= 0.95 if is_free else tally.share(Verdict.UNCHANGED) == 0


def recorded(file: Path, counted: set[str]) -> dict[tuple[str, str], list[list[float | None]]]:
    """The blocks of each model and label; None for a round whose quality does not count."""
    known: dict[tuple[str, str], list[list[float | None]]] = defaultdict(list)
    for one in raw_records.read(file):
        values = zip(one["values_ms"], one["qualities"], strict=True)
        known[one["model"], one["label"]].append(
            [ms if quality in counted else None for ms, quality in values]
        )
    return known


def tallied(rounds: Rounds, rng: random.Random, factor: float, budget: int | None, comparisons: int) -> Tally:
    tally = Tally()
    for _ in range(comparisons):
        verdict, count = compared(rounds, rng, factor, budget)
        tally.counts[verdict] += 1
        tally.pairs.append(count)
    tally.pairs.sort()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, nargs="?", default=OUT)
    parser.add_argument("--comparisons", type=int, default=1000)
    parser.add_argument("--budget", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--also", action="append", default=[], help="a quality that counts beside `ok`: busy")
    given = parser.parse_args()
    counted = {"ok", *given.also}
    known = recorded(given.file, counted)
    is_good = True
    print(LINE.format(*HEADS, "fresh 5-50-95 %", ""))
    for (model, label), blocks in sorted(known.items()):
        rounds, total = Rounds(blocks), sum(map(len, blocks))
        if not rounds.blocks or not any(value for block in rounds.blocks for value in block):
            print(f"  {model}, {label}: none of {total} rounds counts (see --also)")
            continue
        median, deviation = rounds.noise()
        noise = f"MAD {median:.3f}, standard deviation {deviation:.3f}"
        print(f"  {total} rounds; log ratios of neighbours: {noise}")
        for factor in PLANTED:
            for budget in (None, given.budget):
                rng = random.Random(f"{given.seed} {model} {label} {factor} {budget}")
                tally = tallied(rounds, rng, factor, budget, given.comparisons)
                places = [int(share * given.comparisons) for share in (0.05, 0.5, 0.95)]
                spread = "-".join(str(tally.pairs[place]) for place in places)
                shares = [f"{tally.share(one):.1%}" for one in SHOWN]
                met = is_met(tally, factor, is_free=budget is None and label != "loaded")
                is_good &= met
                name = f"{model}, {label}"
                words = (name, f"{factor - 1:.0%}", budget or "auto", given.comparisons, *shares, spread)
                print(LINE.format(*words, "pass" if met else "FAIL"), flush=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
