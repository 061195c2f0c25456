"""Records real rounds of a bundled model on this machine, under farm, for benchmarks/verdicts_resampled.py.

    .venv/bin/python benchmarks/record_rounds.py [--rounds 600] [--model bundled:shufflenet_v2_x0_5]
        [--label shared] [--block 100] [--iter 20] [--out FILE] [options of `farm bench`]

Each `farm bench` of `--block` rounds of one cell, one after the other, is a line of FILE
(benchmarks/data/rounds.jsonl):

    {"block": 3, "at": "2026-11-26T07:01:02+00:00", "device": "local", "label": "shared", "model": "...",
     "options": ["--iter", "20", ...], "values_ms": [20.123, null, ...], "qualities": ["ok", "no-times", ...]}

`values_ms` are the rounds' values in the order in which they ran, null where a round had none; a round that
farm repeated is there twice. `--label` says what else goes on here: start a load generator by hand for
`--label loaded` (and do not wait for it to end: `--deadline idle=0.2`). A later call goes on until FILE has
so many rounds of this model and label.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import raw_records

OUT = Path(__file__).parent / "data" / "rounds.jsonl"
FARM = (sys.executable, "-m", "farm", "bench", "--devices", "local", "--wait", "600", "--json")


def recorded(model: str, options: tuple[str, ...], rounds: int) -> dict[str, Any]:
    """The values of so many rounds of one cell, in the order in which they ran."""
    began = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "inventory.yaml").write_text("devices:\n  local: {address: local}\n")
        command = (*FARM, "--model", model, "--rounds", str(rounds), *options)
        outcome = subprocess.run(command, cwd=folder, check=False, stdout=subprocess.PIPE, text=True)
    (cell,) = json.loads(outcome.stdout)["cells"]
    timed = sorted(
        (one for one in cell["rounds"] if one["kind"] == "timed"), key=lambda one: one["started_at"]
    )
    return {
        "at": began,
        "device": cell["device"],
        "model": cell["model"],
        "options": list(options),
        "values_ms": [one["value_ms"] for one in timed],
        "qualities": [one["quality"] for one in timed],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=600)
    parser.add_argument("--model", default="bundled:shufflenet_v2_x0_5")
    parser.add_argument("--label", default="shared")
    parser.add_argument("--block", type=int, default=100)
    parser.add_argument("--iter", type=int, default=20)
    parser.add_argument("--out", type=Path, default=OUT)
    given, more = parser.parse_known_args()
    options = ("--iter", str(given.iter), "--warmup-iter", "3", "--cpu-default", *more)
    name = given.model.removeprefix("bundled:")
    while True:
        known = raw_records.read(given.out)
        mine = [one for one in known if (one["model"], one["label"]) == (name, given.label)]
        have = sum(len(one["values_ms"]) for one in mine)
        print(f"{given.out.name}: {have} rounds of {name}, {given.label}, in {len(mine)} blocks", flush=True)
        if have >= given.rounds:
            return 0
        block = recorded(given.model, options, min(given.block, given.rounds - have))
        raw_records.append(given.out, {"block": len(known), "label": given.label} | block)


if __name__ == "__main__":
    sys.exit(main())
