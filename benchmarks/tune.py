"""How good a search is: `farm tune` against all option sets of its space, each measured in many rounds.

    .venv/bin/python benchmarks/tune.py [--model bundled:shufflenet_v2_x0_5] [--iter 20] [--passes 6]
        [--rounds 6] [--minutes 20] [--space NAME=VALUES ...] [--label quiet] [--out FILE]

A pass is one `farm bench` of all valid option sets, `--rounds` interleaved rounds of each; what it came to
is a line of FILE (benchmarks/data/tune_exhaustive.jsonl). A later call goes on; no pass begins after
`--minutes`. With the space below a pass takes about three minutes on two quiet cores, six of them about 18.
When all are there, `farm tune` runs once with the same space and a bit less than a quarter of the time that
they took as its budget, and is a line, too.

Prints the best option sets, and pass or fail: the search's answer is within 3 % of the best of all, in at
most 25 % of the time, and confirmed against the default; or it says that none is faster, and none is by
more than 3 %. Exit code 1 when one is missed.

The least of many uncertain numbers is the luckiest one, not the best. So the best is chosen by every other
pass and compared with the search's answer by the passes between these, and the other way round.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import raw_records

sys.path.insert(0, str(Path(__file__).parents[1]))
from farm.analysis.effects import paired
from farm.cli.tune.begin import begun, new_tune
from farm.options import from_mapping, words
from farm.runtime.cache import default_root
from farm.tune.nouns import DEFAULT, Asked, Candidate

OUT = Path(__file__).parent / "data" / "tune_exhaustive.jsonl"
FARM = (sys.executable, "-m", "farm")
SPACE = (
    "threads=default,cpu-default,2",
    "layout=default,nchw44",
    "fast-run=default,true",
    "weight-preprocess=default,true",
    "record=default,1",
)
"""48 option sets; a layout that does not work here (nchw88 on AMD) would not tell searches apart."""
WITHIN, SHARE = 0.03, 0.25
BUDGET_SHARE = 0.23
"""What lies around its runs is not in the budget of a search."""
SHOWN = 5
BAD = frozenset({"wrong", "finding", "not-comparable"})


def candidates(given: argparse.Namespace) -> tuple[Candidate, ...]:
    """Those that `farm tune` has, by its own code."""
    asked = Asked(devices="local", model=given.model, space=tuple(given.space), options={"iter": given.iter})
    return new_tune("benchmark", asked, begun(asked)).candidates


def one_pass(number: int, all_of_them: tuple[Candidate, ...], given: argparse.Namespace) -> dict[str, Any]:
    """All candidates once more."""
    began = time.monotonic()
    variants = {one.name: shlex.join(words(from_mapping(one.options))) for one in all_of_them}
    suite = {
        "models": {"m": given.model},
        "variants": variants,
        "canary": False,
        "check": "outputs" if number == 0 else "off",
    }
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "all.yaml"
        path.write_text(json.dumps(suite))
        command = (
            *(*FARM, "bench", "--suite", str(path), "--devices", "local", "--json", "--wait", "600"),
            *("--rounds", str(given.rounds), "--seed", str(number)),
        )
        done = subprocess.run(command, cwd=name, check=False, stdout=subprocess.PIPE, text=True)
    results = json.loads(done.stdout)
    other = {check["cell"] for check in results["outputs"] if check["verdict"] in BAD}
    return {
        "kind": "pass",
        "number": number,
        "seconds": round(time.monotonic() - began, 1),
        "values_ms": {
            cell["variant"]: [
                [one["index"], one["value_ms"], one["quality"]]
                for one in cell["rounds"]
                if one["kind"] == "timed" and one["value_ms"] is not None
            ]
            for cell in results["cells"]
            if cell["status"] == "completed" and f"local/{cell['model']}/{cell['variant']}" not in other
        },
    }


def one_search(budget_s: float, given: argparse.Namespace) -> dict[str, Any]:
    """`farm tune` with this budget, and a cache in which no product of the passes is."""
    began = time.monotonic()
    space = [word for axis in given.space for word in ("--space", axis)]
    with tempfile.TemporaryDirectory() as name:
        cache = Path(name) / "cache"
        cache.mkdir()
        (cache / "runtimes").symlink_to(default_root())
        command = (
            *(*FARM, "tune", "--devices", "local", "--model", given.model, "--iter", str(given.iter), *space),
            *("--budget", f"{budget_s:.0f}s", "--seed", str(given.seed), "--json", "--wait", "600"),
        )
        done = subprocess.run(
            command, cwd=name, env=os.environ | {"FARM_CACHE_DIR": str(cache)}, check=False,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    found = json.loads(done.stdout)["tune"]
    return {
        "kind": "search",
        "seconds": round(time.monotonic() - began, 1),
        "budget_s": budget_s,
        "exit_code": done.returncode,
        "confirmation": found["confirmation"],
        "steps": [
            {key: step[key] for key in ("name", "candidates", "rounds", "took_s")} for step in found["steps"]
        ],
    }


def ratios(passes: list[dict[str, Any]]) -> dict[str, float]:
    """To the default in the same blocks of rounds, over all passes; of good rounds where there are such."""
    found: dict[str, float] = {}
    for name in passes[0]["values_ms"]:
        pairs = []
        for one in passes:
            before, after = (
                {row[0]: row for row in one["values_ms"].get(key, ())} for key in (DEFAULT, name)
            )
            pairs += [(before[index], after[index]) for index in sorted(before.keys() & after.keys())]
        good = [pair for pair in pairs if all(row[2] == "ok" for row in pair)] or pairs
        if good:
            found[name] = paired([one[1] for one, _ in good], [other[1] for _, other in good]).ratio
    return found


def gap(passes: list[dict[str, Any]], answer: str) -> float:
    """How much slower the answer is than the best option set, as a fraction: see the module."""
    halves = passes[::2], passes[1::2]
    logs = []
    for choosing, judging in (halves, halves[::-1]):
        chosen, judged = ratios(choosing), ratios(judging)
        best = min(chosen.keys() & judged.keys(), key=lambda name: chosen[name])
        logs.append(math.log(judged[answer] / judged[best]))
    return math.exp(sum(logs) / len(logs)) - 1


def told(passes: list[dict[str, Any]], search: dict[str, Any]) -> bool:
    """Print what was found; whether all of it is as wanted."""
    found = ratios(passes)
    best = sorted(found.items(), key=lambda one: one[1])
    whole_s = sum(one["seconds"] for one in passes)
    print(f"all {len(found)} option sets: {whole_s:.0f} s")
    for name, ratio in best[:SHOWN]:
        print(f"  {ratio:6.3f}  {name}")
    confirmed = search["confirmation"] or {}
    name, verdict = confirmed.get("candidate"), confirmed.get("verdict")
    share = search["seconds"] / whole_s
    told_share = f"farm tune: {search['seconds']:.0f} s, {share:.0%} of it"
    print(f"{told_share}: {name} {verdict}, ratio {confirmed.get('ratio')}")
    answer = name if verdict == "faster" and name in found else DEFAULT
    print(f"by all passes it is {found[answer] / best[0][1] - 1:+.1%} from the one that looks best")
    from_best = gap(passes, answer)
    checks = {
        f"its answer is {from_best:+.1%} from the best, {WITHIN:.0%} at most": from_best <= WITHIN,
        f"it took {share:.0%} of the time, {SHARE:.0%} at most": share <= SHARE,
        "it is decided: a winner that is confirmed, or none": verdict in ("faster", "unchanged", "slower"),
    }
    for text, is_met in checks.items():
        print(f"{'pass' if is_met else 'FAIL'}  {text}")
    return all(checks.values())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="bundled:shufflenet_v2_x0_5")
    parser.add_argument("--iter", type=int, default=20)
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--space", action="append")
    parser.add_argument("--seed", type=int, default=1, help="of the search")
    parser.add_argument("--label", default="shared", help="what else the machine does: records are apart")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    given.space = given.space or list(SPACE)
    return given


def main() -> int:
    given = arguments()
    what = {key: getattr(given, key) for key in ("label", "model", "iter", "rounds", "space")}
    until = time.monotonic() + given.minutes * 60
    all_of_them = candidates(given)
    print(f"{len(all_of_them)} option sets")
    while True:
        known = [
            one
            for one in raw_records.read(given.out)
            if all(one.get(key) == value for key, value in what.items())
        ]
        passes = [one for one in known if one["kind"] == "pass"][: given.passes]
        search = next((one for one in known if one["kind"] == "search" and one["seed"] == given.seed), None)
        if len(passes) == given.passes and search is not None:
            return 0 if told(passes, search) else 1
        if time.monotonic() > until:
            print(f"{len(passes)} of {given.passes} passes; a later call goes on")
            return 1
        if len(passes) < given.passes:
            record = one_pass(len(passes), all_of_them, given)
        else:
            record = one_search(BUDGET_SHARE * sum(one["seconds"] for one in passes), given) | {
                "seed": given.seed
            }
        at = datetime.now(UTC).isoformat(timespec="seconds")
        raw_records.append(given.out, {"at": at, **what, **record})
        print(f"{record['kind']}: {record['seconds']:g} s", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
