"""Verdicts of simulated reports: false alarms, what is found, and how often an interval holds the truth.

    .venv/bin/python benchmarks/verdicts_simulated.py [--reports N] [--rule N] [--out FILE]

A report has 400 cells, of which 8 are truly 6 % slower, on devices that drift (`drift`), are throttled in
steps (`step`), change between two clocks (`dvfs`) or do all of it (`all`). Each cell goes the way of
`--rounds auto`: a pilot of 10 pairs, which may settle it, and 30 more where it would ask for very many; fresh
pairs, as many as the pilot asks for; false
discovery rates over the report. `--rule` adds comparisons of one kind of noise each, light-tailed to
heavy-tailed, with no change, 1, 5 and 10 %: how often the rule for the number of pairs leads to the right
verdict, and how many pairs it takes.

The file (benchmarks/data/verdicts_simulated.jsonl) gets a line with seed and counts per batch; a later call
goes on until it holds so many reports, and prints what all of its lines say. Exit code 1 when a figure is
missed. In each batch the vectorised arithmetic is compared with farm's own.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import raw_records
from many_verdicts import FASTER, NAMES, SLOWER, UNCHANGED, Draw, Floats, Integers, check, compared

from farm.model.comparison import Verdict

OUT = Path(__file__).parent / "data" / "verdicts_simulated.jsonl"
CELLS, CHANGED, EFFECT, MINIMUM = 400, 8, 0.06, 0.03
KINDS = ("drift", "step", "dvfs", "all")
ITERATIONS = 30
POOL = 2_000_000
BATCH = 200
"""Reports of a batch."""
RULE_BATCH = 1000
LEVELS = (0.02, 0.05)
"""Typical sizes of a pair's noise (half of the middle half of it): a device in a rack, a shared machine."""
TAILS = ("normal", "laplace", "t3", "spikes", "two clocks")
PLANTED = (0.0, 0.01, 0.05, 0.10)


@cache
def medians() -> Floats:
    """Log medians of rounds of 30 iterations: correlated (AR(1), 0.7), with 3 % outliers.

    All else that a round has is constant within it, so it only moves this median: a pool of two million of
    them, drawn from again and again, stands for the iterations of all rounds.
    """
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(POOL // 100_000):
        noise = rng.normal(0, 0.01 * np.sqrt(1 - 0.7**2), (ITERATIONS, 100_000))
        noise[0] = rng.normal(0, 0.01, 100_000)
        for place in range(1, ITERATIONS):
            noise[place] += 0.7 * noise[place - 1]
        noise += (rng.random(noise.shape) < 0.03) * rng.exponential(0.15, noise.shape)
        parts.append(np.median(noise, axis=0))
    return np.concatenate(parts)


def session(rng: np.random.Generator, cells: int, rounds: int, kind: str) -> Floats:
    """Log times of consecutive rounds of each cell, with the noise of the reference's simulation/sim.py."""
    times = medians()[rng.integers(0, POOL, (cells, rounds))]
    times += rng.normal(0, 0.010, (cells, rounds))
    place = np.arange(rounds) / rounds
    if kind in {"drift", "all"}:
        times += rng.uniform(0, 0.06, (cells, 1)) * (1 - np.exp(-3 * place))
    if kind in {"step", "all"}:
        height = rng.uniform(0.03, 0.10, (cells, 1)) * (rng.random((cells, 1)) < 0.5)
        times += height * (place >= rng.random((cells, 1)))
    if kind in {"dvfs", "all"}:
        times += 0.05 * (rng.random((cells, rounds)) < 0.15)
    return times


def duel(rng: np.random.Generator, kind: str, effects: Floats, rows: Integers, pairs: int) -> Floats:
    """Log ratios of pairs, back to back in an order drawn for each."""
    times = session(rng, len(rows), 2 * pairs, kind).reshape(len(rows), pairs, 2)
    sign = np.where(rng.random((len(rows), pairs)) < 0.5, 1, -1)
    return (times[:, :, 1] - times[:, :, 0]) * sign + effects[rows, None]


def report_batch(seed: int) -> dict[str, object]:
    rng = np.random.default_rng([1, seed])
    kind = KINDS[seed % len(KINDS)]
    is_changed = np.tile(np.arange(CELLS) < CHANGED, BATCH)
    effects = np.where(is_changed, np.log1p(EFFECT), 0.0)
    draw = partial(duel, rng, kind, effects)
    prove(draw)
    outcome = compared(draw, len(effects), MINIMUM, together=CELLS)
    alarms = ((outcome.verdicts == SLOWER) | (outcome.verdicts == FASTER)) & ~is_changed
    confirmed = outcome.pairs > 0
    holds = (outcome.low <= effects) & (effects <= outcome.high) & confirmed
    return {
        "of": "reports",
        "seed": seed,
        "kind": kind,
        "reports": BATCH,
        "false_alarms": int(alarms.sum()),
        "found": int((outcome.verdicts == SLOWER)[is_changed].sum()),
        "unchanged": int((outcome.verdicts == UNCHANGED)[~is_changed].sum()),
        "missed_as_unchanged": int((outcome.verdicts == UNCHANGED)[is_changed].sum()),
        "confirmed": int(confirmed.sum()),
        "fresh_pairs": int(outcome.pairs.sum()),
        "more_pilot_pairs": int(outcome.longer.sum()),
        "screen_intervals_that_hold": int(
            ((outcome.pilot.low <= effects) & (effects <= outcome.pilot.high)).sum()
        ),
        "confirm_intervals_that_hold": int(holds.sum()),
    }


def tail(rng: np.random.Generator, kind: str, shape: tuple[int, int]) -> Floats:
    """Noise of log ratios, not scaled."""
    if kind == "normal":
        return rng.normal(0, 1, shape)
    if kind == "laplace":
        return rng.laplace(0, 1, shape)
    if kind == "t3":
        return rng.standard_t(3, shape)
    if kind == "spikes":
        return rng.normal(0, 1, shape) * np.where(rng.random(shape) < 0.1, 6, 1)
    clocks = (rng.random(shape) < 0.15).astype(float) - (rng.random(shape) < 0.15)
    return rng.normal(0, 0.018, shape) + 0.05 * clocks


@cache
def quartile(kind: str) -> float:
    return float(np.quantile(np.abs(tail(np.random.default_rng(0), kind, (1, 1_000_000))), 0.5))


def planted_noise(
    rng: np.random.Generator, what: tuple[str, float, float], rows: Integers, pairs: int
) -> Floats:
    kind, level, planted = what
    return tail(rng, kind, (len(rows), pairs)) * level / quartile(kind) + np.log1p(planted)


def rule_batch(seed: int) -> dict[str, object]:
    """One kind and size of noise with each planted change. Each comparison is a run of its own."""
    kind, level = TAILS[seed % len(TAILS)], LEVELS[seed // len(TAILS) % len(LEVELS)]
    by_change = []
    for number, planted in enumerate(PLANTED):
        draw = partial(planted_noise, np.random.default_rng([2, seed, number]), (kind, level, planted))
        prove(draw)
        outcome = compared(draw, RULE_BATCH, MINIMUM, together=1)
        counts = {str(name): int((outcome.verdicts == place).sum()) for place, name in enumerate(NAMES)}
        pairs = outcome.longer + outcome.pairs
        middle = [int(value) for value in np.quantile(pairs, (0.05, 0.5, 0.95))]
        of_pairs = {"pairs_after_10_5_50_95": middle, "pairs_after_10_mean": round(float(pairs.mean()), 1)}
        by_change.append({"planted": planted} | of_pairs | counts)
    record = {"of": "rule", "seed": seed, "kind": kind, "level": level, "comparisons": RULE_BATCH}
    return record | {"by_change": by_change}


def prove(draw: Draw) -> None:
    for pairs in (10, 16, 47, 201):
        check(draw(np.arange(3), pairs), q=0.01, minimum_effect=MINIMUM)


def show_reports(batches: list[dict[str, Any]]) -> bool:
    """Prints what the batches say, by kind of noise and over all; whether no figure is missed."""
    heads = ("noise", "reports", "alarms", "+6 % found", "unchanged", "confirmed", "95 % holds", "confirm's")
    line = "{:10}" + "{:>12}" * 7
    print(line.format(*heads))
    is_good = True
    for kind in (*KINDS, "together"):
        chosen = [batch for batch in batches if kind in {batch["kind"], "together"}]
        total: Counter[str] = Counter()
        for batch in chosen:
            total.update({name: value for name, value in batch.items() if isinstance(value, int)})
        reports = total["reports"]
        if not reports:
            continue
        alarms, found = total["false_alarms"] / reports, total["found"] / reports / CHANGED
        pilot = total["screen_intervals_that_hold"] / reports / CELLS
        confirm = total["confirm_intervals_that_hold"] / max(1, total["confirmed"])
        unchanged = total["unchanged"] / reports / (CELLS - CHANGED)
        shares = [
            f"{share:.2%}"
            for share in (found, unchanged, total["confirmed"] / reports / CELLS, pilot, confirm)
        ]
        print(line.format(kind, reports, f"{alarms:.4f}", *shares))
        is_good &= alarms < 0.01 and found >= 0.98 and min(pilot, confirm) >= 0.945
    print(
        "pass" if is_good else "FAIL",
        ": < 0.01 false alarms a report, >= 98 % found, >= 94.5 % hold, of each kind",
    )
    return is_good


def show_rule(batches: list[dict[str, Any]]) -> bool:
    """Prints how often each verdict came, by noise and planted change; whether no figure is missed."""
    line = "{:12}{:>8}{:>9}{:>13}" + "{:>14}" * 4 + "{:>24}"
    print(line.format("noise", "level", "planted", "comparisons", *NAMES, "pairs after 10 (mean)"))
    is_good = True
    for kind, level in sorted({(batch["kind"], batch["level"]) for batch in batches}):
        chosen = [batch for batch in batches if (batch["kind"], batch["level"]) == (kind, level)]
        count = sum(batch["comparisons"] for batch in chosen)
        for place, planted in enumerate(PLANTED):
            found = [batch["by_change"][place] for batch in chosen]
            share = {name: sum(one[str(name)] for one in found) / count for name in NAMES}
            middle = (np.mean([one["pairs_after_10_5_50_95"][k] for one in found]) for k in range(3))
            mean = np.mean([one["pairs_after_10_mean"] for one in found])
            pairs = "-".join(f"{value:.0f}" for value in middle) + f" ({mean:.0f})"
            shares = [f"{share[name]:.2%}" for name in NAMES]
            print(line.format(kind, f"{level:.0%}", f"{planted:.0%}", count, *shares, pairs))
            slower, changed = share[Verdict.SLOWER], share[Verdict.SLOWER] + share[Verdict.FASTER]
            is_good &= {
                0.0: share[Verdict.UNCHANGED] >= 0.95 and changed <= 0.01,
                0.01: slower <= 0.001,
            }.get(planted, slower >= 0.95)
    wanted = "unchanged >= 95 % and changed <= 1 % of A/A; slower <= 0.1 % of +1 %, >= 95 % of +5 and +10 %"
    print("pass" if is_good else "FAIL", f": {wanted}")
    return is_good


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=int, default=20_000)
    parser.add_argument("--rule", type=int, default=4000, help="comparisons of each noise and change")
    parser.add_argument("--out", type=Path, default=OUT)
    wanted = parser.parse_args()
    known = raw_records.read(wanted.out)
    began_s = time.monotonic()
    next_seed = {
        of: max((b["seed"] for b in known if b["of"] == of), default=-1) + 1 for of in ("reports", "rule")
    }
    for seed in range(next_seed["reports"], -(-wanted.reports // BATCH)):
        raw_records.append(wanted.out, report_batch(seed))
        print(f"reports: batch {seed + 1}, {time.monotonic() - began_s:.0f} s", file=sys.stderr)
    rule_seeds = -(-wanted.rule // RULE_BATCH) * len(TAILS) * len(LEVELS)
    for seed in range(next_seed["rule"], rule_seeds):
        raw_records.append(wanted.out, rule_batch(seed))
        print(f"rule: batch {seed + 1} of {rule_seeds}, {time.monotonic() - began_s:.0f} s", file=sys.stderr)
    known = raw_records.read(wanted.out)
    is_good = show_reports([batch for batch in known if batch["of"] == "reports"])
    is_good &= show_rule([batch for batch in known if batch["of"] == "rule"])
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
