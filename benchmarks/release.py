"""`farm release` of many large runs: CPU time, memory, and what a further run adds to both.

    .venv/bin/python benchmarks/release.py [RUNS] [CELLS]

Every run has its own devices, two builds and a comparison of each pair of cells, all different, 10 rounds a
cell. Appends a raw record to benchmarks/data/release.jsonl; prints pass or fail for the bounds that
docs/release.md states.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import raw_records
from farm.model.comparison import Change, Comparison, Duel, Effect, Verdict
from farm.store.codec import results_to_json
from tests.unit.compare.made import cell, noise, run, timed

FARM = Path(sys.executable).with_name("farm")
RECORDS = Path(__file__).parent / "data" / "release.jsonl"
MOST_KB_A_COMPARISON = 2.0
DEVICES = 100
VERDICTS = (*[Verdict.UNCHANGED] * 9, Verdict.SLOWER)


def results(number: int, cells: int) -> bytes:
    """A run as large as `cells`, whose sentences and numbers are all different."""
    made, duels, compared = [], [], []
    rounds = timed(noise(10, 0.004, 10.0))
    for place in range(cells // 2):
        device = f"device-{number}-{place % DEVICES}"
        ids = []
        for build in ("old", "new"):
            one = replace(cell(*rounds, device=device, build=build), model=f"model-{place // DEVICES}")
            made.append(one)
            ids.append(one.id)
        ratio = 1 + place / 1e6
        duels.append(Duel(*ids, Change.BUILD))
        compared.append(
            Comparison(
                device,
                *ids,
                Change.BUILD,
                VERDICTS[place % len(VERDICTS)],
                f"{ids[1]} is {ratio} times {ids[0]}",
                screen=Effect(ratio, ratio - 0.01, ratio + 0.01, ratio - 0.009, ratio + 0.009, 0.01, 10),
                baseline_ms=10.0 + ratio,
                candidate_ms=11.0 + ratio,
            )
        )
    whole = run(*made, duels=tuple(duels), run_id=f"run-{number}")
    return results_to_json(replace(whole, comparisons=tuple(compared)))


def call(folder: Path, names: list[str]) -> dict[str, float]:
    """CPU time in seconds, which does not depend on what else the machine does, and the peak of memory."""
    script = (
        "import json, resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
        "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))"
    )
    words = [str(FARM), "release", *names, "--runs-dir", str(folder), "--versions", "old,new"]
    done = subprocess.run([sys.executable, "-c", script, *words], check=True, capture_output=True, text=True)
    cpu_s, memory_mb = json.loads(done.stdout)
    return {"runs": len(names), "cpu_s": cpu_s, "memory_mb": memory_mb}


def main() -> None:
    runs, cells = (int(word) for word in (*sys.argv[1:], *("5", "10000")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = [f"run-{number}" for number in range(runs)]
        for number, run_id in enumerate(names):
            (folder / run_id).mkdir()
            (folder / run_id / "results.json").write_bytes(results(number, cells))
        size_mb = (folder / names[0] / "results.json").stat().st_size / 1e6
        one, all_ = call(folder, names[:1]), call(folder, names)
        page_mb = (folder / "release.html").stat().st_size / 1e6
    more_mb = (all_["memory_mb"] - one["memory_mb"]) / max(runs - 1, 1)
    a_comparison_kb = 1024 * more_mb / (cells / 2)
    record = {"cells": cells, "results_mb": size_mb, "page_mb": page_mb, "one": one, "all": all_}
    raw_records.append(RECORDS, record)
    print(f"{runs} runs of {cells} cells, results.json of {size_mb:.0f} MB, page of {page_mb:.2f} MB")
    print(f"one run: {one['cpu_s']:.1f} s CPU, {one['memory_mb']:.0f} MB")
    print(f"all: {all_['cpu_s']:.1f} s CPU, {all_['memory_mb']:.0f} MB; a further run {more_mb:.1f} MB")
    is_met = a_comparison_kb <= MOST_KB_A_COMPARISON
    print(f"{'pass' if is_met else 'FAIL'}: {a_comparison_kb:.2f} kB a comparison of a further run")


if __name__ == "__main__":
    main()
