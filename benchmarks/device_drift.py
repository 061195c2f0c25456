"""How often a device is said to drift that does not, and after how many nights one is found that does.

    .venv/bin/python benchmarks/device_drift.py [SEED]

Classes of devices over a year of nights, with fixed seeds: each device has a level of its own for each cell,
a noise that all its cells share (a hot room) and one of each cell; builds change the level of all devices now
and then; a device is away on one night in fifty. Judged night by night, by the function that `farm nightly`
calls. Prints false words (each has a beginning, so a word that stays is one) and the nights to find a planted
drift.
"""

from __future__ import annotations

import random
import statistics
import sys

from farm.history.nouns import Point, Series, SeriesKey
from farm.nightly.drift import FEWEST_NIGHTS, drifting

NIGHTS, CELLS, SIZES, LEAST = 365, 10, (3, 5, 8), 0.03
OWN, SHARED = 0.02, 0.005
TRIALS, BEFORE, AFTER = 100, 40, 30
DRIFTS = (1.03, 1.05, 1.10)


def lab(draw: random.Random, devices: int, nights: int, slower: float = 1.0, since: int = 0) -> list[Series]:
    """The first device is `slower` since a night."""
    builds = [1.0]
    for _ in range(nights - 1):
        builds.append(builds[-1] * (draw.uniform(0.9, 1.1) if draw.random() < 0.03 else 1.0))
    made = []
    for device in range(devices):
        away = [draw.random() < 0.02 for _ in range(nights)]
        hot = [draw.gauss(0, SHARED) for _ in range(nights)]
        for cell in range(CELLS):
            level = draw.uniform(1, 100)
            points = tuple(
                Point(
                    f"{night:03d}", night * 86_400.0, "", "completed",
                    median_ms=level * builds[night] * (1 + hot[night] + draw.gauss(0, OWN))
                    * (slower if device == 0 and night >= since else 1.0),
                )
                for night in range(nights) if not away[night]
            )  # fmt: skip
            made.append(Series(SeriesKey(f"d{device}", f"m{cell}", "v", "b"), points))
    return made


def words(series: list[Series], devices: int, nights: range) -> list[set[str]]:
    """Who is said to drift, night by night."""
    kinds = {f"d{number}": "k" for number in range(devices)}
    found = []
    for night in nights:
        judged = drifting(series, kinds, f"{night:03d}", LEAST)
        found.append({name for name, one in judged.items() if one})
    return found


def main() -> int:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    is_good = True
    for devices in SIZES:
        draw = random.Random(seed)
        told = words(lab(draw, devices, NIGHTS), devices, range(FEWEST_NIGHTS, NIGHTS))
        begun = sum(len(now - before) for before, now in zip([set(), *told], told, strict=False))
        is_good &= begun <= 2
        print(f"{devices} devices, {NIGHTS} nights: {begun} false words")
        for slower in DRIFTS:
            waits: list[int | None] = []
            wrong = 0
            for trial in range(TRIALS):
                draw = random.Random(1000 * seed + trial)
                series = lab(draw, devices, BEFORE + AFTER, slower, BEFORE)
                told = words(series, devices, range(BEFORE, BEFORE + AFTER))
                waits.append(next((at + 1 for at, now in enumerate(told) if "d0" in now), None))
                wrong += any(now - {"d0"} for now in told)
            seen = [one for one in waits if one is not None]
            within = sum(one <= 3 for one in seen)
            wait = f"median {statistics.median(seen):g} nights" if seen else "never"
            print(
                f"  {slower - 1:+.0%}: found in {len(seen)} of {TRIALS} ({wait}, within three {within}), "
                f"another device named in {wrong}"
            )
            is_good &= slower < 1.1 or within >= 0.95 * TRIALS
    print("pass" if is_good else "FAIL")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
