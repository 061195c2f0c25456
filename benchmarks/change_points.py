"""How often noise alone is called a change of level, and after how many nights a change is found.

    .venv/bin/python benchmarks/change_points.py

Drawn series of nightly medians (normal noise, fixed seeds), with the noise estimated as `farm history` does.
"""

from __future__ import annotations

import math
import random

from farm.history.change_points import change_points, noise_of

LEAST = math.log1p(0.03)
SERIES = 400
NIGHTS = (10, 30, 60, 120, 365)
NOISES = (0.005, 0.01, 0.02, 0.04)
BEFORE, MOST_AFTER = 60, 30
TRIALS = 200
CHANGES = (1.03, 1.05, 1.10, 1.30)


def found(logs: list[float]) -> list[int]:
    noise = noise_of(logs)
    return change_points(logs, noise, LEAST) if noise else []


def of_noise(nights: int, noise: float) -> float:
    """The share of series of noise alone in which a change is found."""
    draws = (random.Random(1000 * seed + nights) for seed in range(SERIES))
    return sum(bool(found([draw.gauss(0, noise) for _ in range(nights)])) for draw in draws) / SERIES


def nights_to_find(change: float, noise: float, seed: int) -> int | None:
    """After how many nights it is found within three nights of its place."""
    draw = random.Random(seed)
    logs = [draw.gauss(0, noise) for _ in range(BEFORE)]
    for night in range(1, MOST_AFTER + 1):
        logs.append(math.log(change) + draw.gauss(0, noise))
        if any(abs(at - BEFORE) <= 3 for at in found(logs)):
            return night
    return None


def main() -> None:
    print(f"share of {SERIES} series of noise alone with a change of 3 % or more")
    print("nights  " + "  ".join(f"noise {100 * noise:g} %" for noise in NOISES))
    for nights in NIGHTS:
        print(f"{nights:6d}  " + "  ".join(f"{100 * of_noise(nights, noise):8.1f} %" for noise in NOISES))
    print(
        f"\nnights until a change is found, median and 90th percentile of {TRIALS}, and how many of them are"
    )
    for change in CHANGES:
        for noise in NOISES:
            took = sorted(nights_to_find(change, noise, seed) or MOST_AFTER + 1 for seed in range(TRIALS))
            within = sum(one <= MOST_AFTER for one in took)
            told = f"{took[TRIALS // 2]}, {took[9 * TRIALS // 10]}; {within} within {MOST_AFTER} nights"
            print(f"{100 * change - 100:+3.0f} %, noise {100 * noise:g} %: {told}")


if __name__ == "__main__":
    main()
