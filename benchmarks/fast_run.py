"""What a fast-run cache saves at the start: first inference while searching / with the cache, as a ratio.

    .venv/bin/python benchmarks/fast_run.py [MODEL ...]

Uses farm's own preparations: the search runs once (products are kept in a folder of their own, so that it
really searches), the rounds after it load what it found.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from farm import resources

OPTIONS = ("--devices", "local", "--rounds", "3", "--iter", "20", "--fast-run", "--wait", "600", "--json")


def main(models: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "inventory.yaml").write_text("devices:\n  local: {address: local}\n")
        Path(folder, "cache").mkdir()
        Path(folder, "cache", "runtimes").symlink_to(resources.cache_folder() / "runtimes")
        words = [word for model in models for word in ("--model", model)]
        outcome = subprocess.run(
            (sys.executable, "-m", "farm", "bench", *words, *OPTIONS),
            cwd=folder,
            env=os.environ | {"FARM_CACHE_DIR": f"{folder}/cache"},
            check=True,
            capture_output=True,
            text=True,
        )
    for cell in json.loads(outcome.stdout)["cells"]:
        searching_ms = cell["preparations"][0]["round"]["warmup_ms"][0]
        cached_ms = statistics.median(one["warmup_ms"][0] for one in cell["rounds"])
        times = f"{searching_ms:.0f} ms searching, {cached_ms:.0f} ms with the cache"
        print(f"{cell['model']}: first inference {times}, ratio {searching_ms / cached_ms:.1f}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["bundled:tiny", "bundled:shufflenet_v2_x0_5"])
