"""What supervision costs: the same command under farm and by hand, in turn, as a ratio.

    .venv/bin/python benchmarks/supervision.py [PAIRS]

Prints the ratio (under farm / by hand) of the round's value, the median of its steady iterations, per pair
and over all pairs. 1.00 means that the agent does not disturb what it watches; a busy machine scatters.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from farm.analysis.steady import round_value
from farm.logs.load_and_run import parse_log

FARM = (sys.executable, "-m", "farm", "bench", "--devices", "local", "--model", "bundled:shufflenet_v2_x0_5")
OPTIONS = ("--rounds", "1", "--iter", "200", "--warmup-iter", "5", "--cpu-default", "--wait", "600", "--json")


def under_farm(folder: str) -> tuple[float, str]:
    """The round's value in ms, and the command that repeats it by hand."""
    outcome = subprocess.run((*FARM, *OPTIONS), cwd=folder, check=True, capture_output=True, text=True)
    (cell,) = json.loads(outcome.stdout)["cells"]
    return cell["rounds"][0]["value_ms"], cell["reproduce"]


def by_hand(command: str) -> float:
    outcome = subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, text=True)
    value, _ = round_value(parse_log(outcome.stderr).e2e_ms)
    assert value is not None, "the command printed no times"
    return value


def main(pairs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "inventory.yaml").write_text("devices:\n  local: {address: local}\n")
        _, command = under_farm(folder)
        ratios = []
        for number in range(pairs):
            # The order changes from pair to pair, so that drift falls on both sides.
            if number % 2:
                manual, (farm, _) = by_hand(command), under_farm(folder)
            else:
                (farm, _), manual = under_farm(folder), by_hand(command)
            ratios.append(farm / manual)
            print(f"pair {number + 1}: {farm:.3f} ms under farm, {manual:.3f} ms by hand, {ratios[-1]:.3f}")
        mean = math.exp(statistics.fmean(map(math.log, ratios)))
        print(f"median ratio {statistics.median(ratios):.3f}, geometric mean {mean:.3f}, {pairs} pairs")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
