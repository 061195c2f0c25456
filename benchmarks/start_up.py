"""What it costs to start farm: wall time of whole commands, over that of the bare interpreter.

    .venv/bin/python benchmarks/start_up.py [TIMES] [FARM ...]

FARM are commands to compare in turn, e.g. the `farm` of an earlier checkout; default: this environment's.
Byte code is written first, so that no compiler is measured. Prints the least and the median wall time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WANTED_S = {"--version": 0.15, "--help": 0.15, "plan": 0.4}


def once(command: tuple[str, ...], folder: str) -> float:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main(times: int, farms: list[str]) -> None:
    bare = (str(Path(sys.executable)), "-I", "-c", "")
    commands = [(farm, words) for words in WANTED_S for farm in farms]
    with tempfile.TemporaryDirectory() as folder:
        for farm, words in commands:
            once((farm, words), folder)
        taken: dict[tuple[str, str], list[float]] = {command: [] for command in commands}
        floor = []
        for _ in range(times):
            floor.append(once(bare, folder))
            for command in commands:
                taken[command].append(once(command, folder))
    print(f"bare interpreter: least {min(floor):.3f} s, median {statistics.median(floor):.3f} s")
    for (farm, words), seconds in taken.items():
        least, median = min(seconds), statistics.median(seconds)
        verdict = "pass" if median < WANTED_S[words] else "FAIL"
        ratio = median / statistics.median(floor)
        print(f"{farm} {words}: least {least:.3f} s, median {median:.3f} s ({ratio:.1f} x bare), ", end="")
        print(f"wanted under {WANTED_S[words]} s: {verdict}")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 10,
        sys.argv[2:] or [str(Path(sys.executable).with_name("farm"))],
    )
