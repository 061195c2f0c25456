"""`farm site` of thousands of runs: CPU time and memory of the first call, of one
that finds nothing new, and of one new run.

    .venv/bin/python benchmarks/site.py [RUNS] [CELLS]

The runs are copies of one with invented times. Prints pass or fail for each bound that docs/site.md states.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from farm.store.codec import results_to_json
from tests.data.results import make

MOST_MEMORY_MB = 400
MOST_AGAIN_MS = 5.0
"""Of a run that did not change."""
FARM = Path(sys.executable).with_name("farm")


def call(folder: Path) -> float:
    """CPU time in seconds, which does not depend on what else the machine does."""
    begin = _cpu_s()
    words = [FARM, "site", "--runs-dir", folder / "runs", "--out", folder / "public"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return _cpu_s() - begin


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    runs, cells = (int(word) for word in (*sys.argv[1:], *("2000", "40")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = results_to_json(replace(make.many(cells), run_id="copied"))
        for number in range(runs):
            run = folder / "runs" / f"night-{number:05d}"
            run.mkdir(parents=True)
            (run / "results.json").write_bytes(data)
            (run / "report.html").write_bytes(b"<p>report")
        first, again = call(folder), call(folder)
        shutil.copytree(folder / "runs" / "night-00000", folder / "runs" / "one-more")
        more = call(folder)
        pages = sum(path.stat().st_size for path in folder.glob("public/**/*") if path.is_file())
    memory_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{runs} runs of {cells} cells, CPU: first {first:.1f} s, again {again:.1f} s, one more {more:.1f} s"
    )
    print(f"the site has {pages / 1e6:.1f} MB, the largest process had {memory_mb:.0f} MB")
    for what, is_met in (
        (f"at most {MOST_MEMORY_MB} MB", memory_mb <= MOST_MEMORY_MB),
        (f"at most {MOST_AGAIN_MS} ms a run that did not change", 1000 * again / runs <= MOST_AGAIN_MS),
    ):
        print(f"{'pass' if is_met else 'FAIL'}: {what}")


if __name__ == "__main__":
    main()
