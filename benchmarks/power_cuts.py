"""Power cuts at random moments of runs on an ARM board under qemu, and whether all promises hold.

    .venv/bin/python -m benchmarks.power_cuts [--cuts 10] [--series NAME] [--cuts-per-run 5] [--data FILE]

Each run is a line of FILE (benchmarks/data/power_cuts.jsonl). A later call goes on: it adds runs until the
series has as many cuts. Ends with 1 where a part of the promise does not hold. The moments follow from the
name of the series and the number of the run.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.arm.board import Spec, running
from tests.arm.power import OFF_S, SAID, VARIANTS, Outcome, bench

ROUNDS = 5
BOARD = Spec(disk_mib=64)
FIRST_S, LAST_S = 1.0, 40.0
"""When the power is cut, after the run has the board or after the board was back."""


def main() -> int:
    given = _arguments()
    records = _records(given.data, given.series)
    while (cuts := sum(len(record["cuts"]) for record in records)) < given.cuts:
        record = _run(given.series, len(records), min(given.cuts_per_run, given.cuts - cuts))
        given.data.parent.mkdir(exist_ok=True)
        with given.data.open("a", encoding="ascii") as stream:
            stream.write(json.dumps(record) + "\n")
        records.append(record)
    return _tell(records)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--cuts-per-run", type=int, default=5)
    parser.add_argument("--series", default="1")
    parser.add_argument("--data", type=Path, default=Path(__file__).parent / "data" / "power_cuts.jsonl")
    return parser.parse_args()


def _records(data: Path, series: str) -> list[dict[str, Any]]:
    lines = data.read_text("ascii").splitlines() if data.exists() else []
    return [record for record in map(json.loads, lines) if record["series"] == series]


def _run(series: str, number: int, cuts: int) -> dict[str, Any]:
    order = random.Random(f"{series}/{number}")
    waits_s = [round(order.uniform(FIRST_S, LAST_S), 1) for _ in range(cuts)]
    left = list(waits_s)
    words = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(words, check=False, capture_output=True, text=True).stdout.strip()

    def next_cut(folder: Path, is_over: Callable[[], bool]) -> bool:
        if not left:
            return False
        while not is_over() and "probing" not in (folder / SAID).read_text("utf-8"):
            time.sleep(0.05)  # one that is off when the run begins cannot be reached: that is another story
        when = time.monotonic() + left.pop(0)
        while time.monotonic() < when and not is_over():
            time.sleep(0.05)
        return not is_over()

    with (
        tempfile.TemporaryDirectory(prefix="farm-cuts-") as folder,
        running(BOARD, Path(folder, "board")) as board,
    ):
        outcome = bench(board, Path(folder), "cuts", ("--rounds", str(ROUNDS)), next_cut)
    print(outcome.said)
    return _record(series, number, commit, waits_s, outcome)


def _record(series: str, number: int, commit: str, waits_s: list[float], outcome: Outcome) -> dict[str, Any]:
    results = outcome.results
    return {
        "series": series,
        "run": number,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "board": f"{BOARD.cpu}, {BOARD.cores} cores, {BOARD.memory_mib} MiB, {BOARD.flavour}",
        "off_s": OFF_S,
        "waits_s": waits_s,
        "cuts": [[cut.at_s, cut.back_s] for cut in outcome.cuts],
        "wall_s": outcome.wall_s,
        "cells": {
            cell["variant"]: [cell["status"], len(cell["rounds"]), cell["notes"]] for cell in results["cells"]
        },
        "restarts": [
            [one["during"], one["cell"]] for device in results["devices"] for one in device["restarts"]
        ],
        "failures": outcome.failures(ROUNDS),
    }


def _tell(records: list[dict[str, Any]]) -> int:
    cuts = sum(len(record["cuts"]) for record in records)
    restarts = [during for record in records for during, _ in record["restarts"]]
    rounds = sum(during[-1].isdecimal() for during in restarts)
    runs = f"{len(records)} runs of {len(VARIANTS)} cells with {ROUNDS} rounds each"
    print(f"{cuts} power cuts of {OFF_S:g} s in {runs}")
    print(f"{len(restarts)} met a run at work: {rounds} broke a round, {len(restarts) - rounds} another step")
    for record in records:
        away_s = sum(back_s - at_s for at_s, back_s in record["cuts"])
        print(
            f"  run {record['run']}: {record['wall_s']:.0f} s, {away_s:.0f} s of it without power or starting"
        )
    broken = {
        part: [one for record in records for one in record["failures"][part]]
        for part in records[0]["failures"]
    }
    for part, failures in broken.items():
        print(f"{'FAIL' if failures else 'pass'}  {part}")
        for failure in failures:
            print(f"      {failure}")
    return 1 if any(broken.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
