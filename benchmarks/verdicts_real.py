"""Real trials of verdicts on this machine: MegEngine's wheel against itself, and against itself made slower.

    .venv/bin/python benchmarks/verdicts_real.py [--aa 20] [--planted 10] [--model bundled:tiny] [--iter 200]
        [--minutes 20] [--label shared] [--out FILE] [options of `farm bench`]

A trial is one `farm bench --rounds auto --ab before,after` of two builds: both the wheel, and for a planted
slowdown the second with a library loaded first that adds 1, 5 or 10 % to the time of each inference
(tests/data/slow_library.c; needs a C compiler). What each came to is a line of FILE
(benchmarks/data/verdicts_real.jsonl). A later call goes on; no trial begins after `--minutes`.

Prints the verdicts by slowdown, and pass or fail: of A/A at least 90 % `unchanged` and at most 1 % changed;
of 5 and 10 % at least 95 % `slower`, of 1 % none. Exit code 1 when one is missed. Of what is labelled
`loaded` (start a load generator by hand) only false verdicts count.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import raw_records

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.slow_library import build_slow_library

OUT = Path(__file__).parent / "data" / "verdicts_real.jsonl"
PLANTED = (0.0, 0.01, 0.05, 0.10)
FARM = (sys.executable, "-m", "farm", "bench", "--devices", "local", "--wait", "600", "--json")
LINE = "{:>8}{:>8}" + "{:>13}" * 5 + "{:>20}  {}"
VERDICTS = ("unchanged", "slower", "faster", "inconclusive", "invalid")


def tried(planted: float, model: str, options: list[str]) -> dict[str, Any]:
    """One trial."""
    began = time.monotonic()
    record = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "cpus": os.cpu_count()}
    record |= {"model": model, "planted": planted}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        after: dict[str, Any] = {"kind": "wheel"}
        if planted:
            after["preload"] = [str(build_slow_library(folder, 0, planted))]
        (folder / "builds.yaml").write_text(
            json.dumps({"builds": {"before": {"kind": "wheel"}, "after": after}})
        )
        command = (
            *(*FARM, "--model", model, "--builds", "builds.yaml", "--build", "before", "--build", "after"),
            *("--ab", "before,after", "--rounds", "auto", "--check", "off", *options),
        )
        outcome = subprocess.run(command, cwd=folder, check=False, stdout=subprocess.PIPE, text=True)
    results = json.loads(outcome.stdout)
    (compared,) = results["comparisons"]
    effect = compared["confirm"] or compared["screen"]
    timed = [one for cell in results["cells"] for one in cell["rounds"] if one["kind"] == "timed"]
    return record | {
        "verdict": compared["verdict"],
        "ratio": effect and effect["ratio"],
        "screen_pairs": compared["screen"] and compared["screen"]["n"],
        "fresh_pairs": compared["confirm"] and compared["confirm"]["n"],
        "qualities": Counter(one["quality"] for one in timed),
        "exit_code": outcome.returncode,
        "seconds": round(time.monotonic() - began, 1),
        "sentence": compared["sentence"],
    }


def is_met(planted: float, found: Counter[str], label: str) -> bool:
    total = found.total()
    if label == "loaded":
        return not (found["slower"] + found["faster"]) if planted < 0.03 else not found["unchanged"]
    if planted == 0:
        return found["unchanged"] >= 0.9 * total and found["slower"] + found["faster"] <= 0.01 * total
    return found["slower"] >= 0.95 * total if planted > 0.03 else not found["slower"]


def told(records: list[dict[str, Any]], label: str) -> bool:
    """Print the table; whether all of it is as wanted."""
    print(LINE.format("planted", "trials", *VERDICTS, "fresh pairs", ""))
    is_all = True
    for planted in PLANTED:
        mine = [one for one in records if one["planted"] == planted]
        if not mine:
            continue
        found = Counter(one["verdict"] for one in mine)
        pairs = [one["fresh_pairs"] or 0 for one in mine]
        met = is_met(planted, found, label)
        is_all &= met
        counts = (found[verdict] for verdict in VERDICTS)
        span = f"{min(pairs)} to {max(pairs)} ({statistics.median(pairs):g})"
        print(LINE.format(f"{planted:.0%}", len(mine), *counts, span, "pass" if met else "FAIL"))
    return is_all


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--aa", type=int, default=20)
    parser.add_argument("--planted", type=int, default=10)
    parser.add_argument("--model", default="bundled:tiny")
    parser.add_argument("--iter", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--label", default="shared")
    parser.add_argument("--out", type=Path, default=OUT)
    given, more = parser.parse_known_args()
    options = ["--iter", str(given.iter), "--warmup-iter", "10", "--cpu-default", *more]
    wanted = {planted: given.planted if planted else given.aa for planted in PLANTED}
    until = time.monotonic() + given.minutes * 60
    while True:
        known = [one for one in raw_records.read(given.out) if one["model"] == given.model]
        known = [one for one in known if one["label"] == given.label]
        have = Counter(one["planted"] for one in known)
        open_ = [planted for planted in PLANTED if have[planted] < wanted[planted]]
        if not open_ or time.monotonic() > until:
            return 0 if told(known, given.label) else 1
        planted = min(open_, key=lambda one: have[one] / wanted[one])
        record = tried(planted, given.model, options)
        raw_records.append(given.out, {"label": given.label, **record})
        print(f"{planted:.0%}: {record['sentence']} ({record['seconds']:g} s)", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
