"""How often `farm bisect` names the right build: trials of recorded real rounds, and on this machine.

    .venv/bin/python benchmarks/bisect_trials.py [--trials 200] [--builds 16] [--planted 0.05] [--label quiet]
        [--noise 0.1]
    .venv/bin/python benchmarks/bisect_trials.py --real [--bisects 2] [--builds 16] [--out FILE] [options]

A trial is a search as `farm bisect` does it, by its own functions. What a run would measure is put together
from recorded rounds (benchmarks/data/rounds.jsonl) as benchmarks/verdicts_resampled.py does it: blocks of 20
consecutive rounds from random places. From a random build on all are slower by `--planted`; in as many other
trials none is. Printed for each: builds that were found, wrong ones, what was not decided, the timed rounds
and the steps of a trial. Exit code 1 where fewer than 19 of 20 are found, or one is named that is not slower.

`--real`: whole bisects with the wheel on this machine, whose builds from a random place on have a library
loaded first that makes each inference slower by 20 % (tests/data/slow_library.c; needs a C compiler). What
each came to is a line of FILE (benchmarks/data/bisect_real.jsonl).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import raw_records
from record_rounds import OUT as ROUNDS
from verdicts_resampled import MINIMUM, PILOT_PAIRS, Rounds, comparison_of, recorded

from farm.bisect.nouns import End, Kind, Question, Step
from farm.bisect.search import ahead
from farm.model.matrix import Sampling

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.slow_library import build_slow_library

OUT = Path(__file__).parent / "data" / "bisect_real.jsonl"
FARM = (sys.executable, "-m", "farm", "bisect")
REAL_SLOWDOWN = 0.2
LINE = "{:30}{:>9}{:>8}{:>7}{:>7}{:>11}{:>12}{:>22}{:>8}  {}"
COUNTS = ("planted", "trials", "found", "wrong", "no answer", "not slower")
HEADS = ("model, label", *COUNTS, "rounds 50-95-100 %", "steps")


@dataclass
class Tally:
    """How so many trials ended."""

    found: int = 0
    wrong: int = 0
    ends: Counter[Kind] = field(default_factory=Counter)
    rounds: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    @property
    def undecided(self) -> int:
        return self.ends.total() - self.ends[Kind.FOUND] - self.ends[Kind.NOT_SLOWER]


def tried(rounds: Rounds, rng: random.Random, times: list[float]) -> tuple[End, list[Step]]:
    """One search among builds whose times are these, in parts of GOOD's."""
    steps: list[Step] = []
    while isinstance(asked := ahead(len(times), MINIMUM, steps), Question):
        sampling = Sampling(PILOT_PAIRS, fresh=asked.pairs)
        factor = times[asked.candidate] / times[asked.baseline]
        told, fresh = comparison_of(rounds, rng, factor, None, asked.minimum_effect, sampling)
        steps.append(Step(asked, told.verdict, told.effect, told.sentence, rounds=2 * (PILOT_PAIRS + fresh)))
    return asked, steps


def tallied(rounds: Rounds, rng: random.Random, planted: float, trials: int, builds: int) -> Tally:
    tally = Tally()
    for _ in range(trials):
        first = rng.randrange(1, builds)
        end, steps = tried(rounds, rng, [1.0] * first + [1 + planted] * (builds - first))
        tally.ends[end.kind] += 1
        tally.rounds.append(sum(step.rounds for step in steps))
        tally.steps.append(len(steps))
        if end.kind is Kind.FOUND:
            is_right = bool(planted) and end.high == first
            tally.found += is_right
            tally.wrong += not is_right
    tally.rounds.sort()
    return tally


def is_met(tally: Tally, planted: float) -> bool:
    trials = tally.ends.total()
    return tally.wrong == 0 if not planted else tally.found >= 0.95 * trials


def calmed(block: list[float | None], noise: float) -> list[float | None]:
    """The same rounds with so many times their noise, as logarithms."""
    middle = statistics.median([ms for ms in block if ms] or [1.0])
    return [ms and middle * (ms / middle) ** noise for ms in block]


def resampled(given: argparse.Namespace) -> int:
    """Exit code 1 where a figure is missed."""
    is_good = True
    print(LINE.format(*HEADS, ""))
    for (model, label), blocks in sorted(recorded(ROUNDS, {"ok", *given.also}).items()):
        rounds = Rounds([calmed(block, given.noise) for block in blocks])
        if label != given.label or not any(value for block in rounds.blocks for value in block):
            continue
        for planted in (given.planted, 0.0):
            rng = random.Random(f"{given.seed} {model} {label} {planted}")
            tally = tallied(rounds, rng, planted, given.trials, given.builds)
            met = is_met(tally, planted)
            is_good &= met
            places = (tally.rounds[int(share * (given.trials - 1))] for share in (0.5, 0.95, 1))
            counts = (tally.found, tally.wrong, tally.undecided, tally.ends[Kind.NOT_SLOWER])
            spread = "-".join(map(str, places))
            words = (f"{model}, {label}", f"{planted:.0%}", given.trials, *counts, spread, max(tally.steps))
            print(LINE.format(*words, "pass" if met else "FAIL"), flush=True)
    return 0 if is_good else 1


def real(builds: int, first: int, seed: int, options: list[str]) -> dict[str, Any]:
    """One bisect on this machine."""
    began = time.monotonic()
    names = [f"v{number}" for number in range(builds)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slow = str(build_slow_library(folder, 0, REAL_SLOWDOWN))
        made = {
            name: {"kind": "wheel"} | ({"preload": [slow]} if number >= first else {})
            for number, name in enumerate(names)
        }
        (folder / "builds.yaml").write_text(json.dumps({"builds": made}))
        words = (names[0], names[-1], "--builds", "builds.yaml", "--devices", "local", "--check", "off")
        command = (*FARM, *words, "--seed", str(seed), "--json", *options)
        outcome = subprocess.run(command, cwd=folder, check=False, stdout=subprocess.PIPE, text=True)
    told = json.loads(outcome.stdout)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "builds": builds,
        "planted": REAL_SLOWDOWN,
        "first": names[first],
        "options": options,
        "exit_code": outcome.returncode,
        "seconds": round(time.monotonic() - began, 1),
        **{key: told[key] for key in ("end", "first_slower", "steps")},
    }


def bisected(given: argparse.Namespace, more: list[str]) -> int:
    """Real ones; exit code 1 where one does not name the right build."""
    rng = random.Random(given.seed)
    options = ["--model", "bundled:tiny", "--iter", "200", "--warmup-iter", "10", "--cpu-default", *more]
    is_good = True
    for number in range(given.bisects):
        record = real(given.builds, rng.randrange(1, given.builds), given.seed + number, options)
        raw_records.append(given.out, record)
        named = (record["first_slower"] or {}).get("name")
        is_good &= named == record["first"]
        rounds = [step["rounds"] for step in record["steps"]]
        took = f"{len(rounds)} steps, {sum(rounds)} rounds, {record['seconds']:g} s"
        print(f"planted {record['first']}, named {named} ({record['end']}), {took}", flush=True)
    return 0 if is_good else 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--builds", type=int, default=16)
    parser.add_argument("--planted", type=float, default=0.05)
    parser.add_argument("--label", default="quiet")
    parser.add_argument("--also", action="append", default=[], help="a quality that counts beside `ok`: busy")
    parser.add_argument("--noise", type=float, default=1.0, help="0.1: as a device with a tenth of the noise")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--bisects", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    given, more = parser.parse_known_args()
    return bisected(given, more) if given.real else resampled(given)


if __name__ == "__main__":
    raise SystemExit(main())
