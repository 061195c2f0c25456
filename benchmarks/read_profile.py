"""How fast a profile is read, against MegEngine's `megengine.tools.profile_analyze` on the same file.

    FARM_ORACLE_PYTHON=P .venv/bin/python benchmarks/read_profile.py [FILE ...] [--operators N] [--repeat N]

Both do what the tool prints (sums, the three slowest operators), by turns, in the same interpreter: the one
that runs this script, with MegEngine's Python files from FARM_ORACLE_PYTHON (a CPython 3.10 with megengine).
Imports are not counted. Files: the real profile of the tests, those given, and one of N invented operators,
made of the real ones. Seconds are CPU time, the median of the turns; the ratio is of these. Passes with 2.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT / "tests" / "unit" / "dumps" / "data" / "profile.json"
GOAL = 2.0
STEP = 10_000
"""Between the ids of one copy of the real operators and the next."""

WHERE = """
from importlib.util import find_spec
for name in ("megengine", "tabulate"):
    print(find_spec(name).origin)
"""
OURS = """
import sys
sys.path.insert(0, sys.argv[3])
from farm.analysis.operators.views import by_type, slowest
from farm.dumps.profile import read_profile
def work(path):
    with open(path, "rb") as file:
        profile = read_profile(file)
    slowest(profile)[:3], by_type(profile), profile.device_ms
"""
THEIRS = """
import contextlib, io, sys, types, warnings
from pathlib import Path
warnings.simplefilter("ignore")
package, tabulate = (Path(one).parent for one in sys.argv[3:5])
for name in ("megengine", "megengine.utils", "megengine.tools"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(package.joinpath(*name.split(".")[1:]))]
sys.path.append(str(tabulate.parent if tabulate.name == "tabulate" else tabulate))
from megengine.tools.profile_analyze import main
def work(path):
    with contextlib.redirect_stdout(io.StringIO()):
        main([path])
"""
TIMED = """
import time
from pathlib import Path
work(sys.argv[1])  # not counted: what is compiled and cached at the first time
began = time.process_time()
for _ in range(int(sys.argv[2])):
    work(sys.argv[1])
seconds = (time.process_time() - began) / int(sys.argv[2])
print(seconds, Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--operators", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    places = _places()
    with tempfile.TemporaryDirectory() as folder:
        invented = Path(folder) / f"invented-{arguments.operators}.json"
        invented.write_text(json.dumps(_invented(arguments.operators)))
        ratios = [_compared(file, arguments.repeat, places) for file in (REAL, *arguments.files, invented)]
    passed = min(ratios) >= GOAL
    print(f"{'pass' if passed else 'fail'}: the smallest ratio is {min(ratios):.2f}, the goal {GOAL}")
    return int(not passed)


def _places() -> list[str]:
    python = os.environ.get("FARM_ORACLE_PYTHON") or str(ROOT / ".venv-oracle" / "bin" / "python")
    done = subprocess.run([python, "-c", WHERE], capture_output=True, text=True, check=True)
    return done.stdout.split()


def _compared(file: Path, repeat: int, places: list[str]) -> float:
    times = 1 + (2 << 20) // file.stat().st_size  # a small file is read some times a turn
    turns = [(_run(OURS, file, times, [str(ROOT)]), _run(THEIRS, file, times, places)) for _ in range(repeat)]
    (ours_s, ours_mib), (theirs_s, theirs_mib) = (
        (statistics.median(turn[at][0] for turn in turns), max(turn[at][1] for turn in turns) / 1024)
        for at in (0, 1)
    )
    ratio = theirs_s / ours_s
    print(f"{file.name}, {file.stat().st_size / 1e6:.2f} MB: {ours_s * 1e3:.1f} ms, {ours_mib:.0f} MiB")
    print(f"  profile_analyze {theirs_s * 1e3:.1f} ms, {theirs_mib:.0f} MiB: {ratio:.2f} times its speed")
    return ratio


def _run(program: str, file: Path, times: int, places: list[str]) -> tuple[float, int]:
    done = subprocess.run(
        [sys.executable, "-c", program + TIMED, str(file), str(times), *places],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    seconds, kib = done.stdout.split()
    return float(seconds), int(kib)


def _invented(operators: int) -> dict[str, object]:
    """The real profile again and again, each time with other ids and names."""
    real = json.loads(REAL.read_text())
    profiler, graph = real["profiler"], real["graph_exec"]
    made: dict[str, dict[str, object]] = {name: {} for name in ("host", "opr_footprint", "device")}
    variables: dict[str, object] = {}
    described: dict[str, object] = {}
    order: list[str] = []
    for copy in range(1 + operators // len(profiler["device"])):
        for name, into in made.items():
            into.update((_id(key, copy), value) for key, value in profiler[name].items())
        variables.update((_id(key, copy), value) for key, value in graph["var"].items())
        order += [_id(key, copy) for key in graph["comp_seq"]]
        for key, one in graph["operator"].items():
            ends = {end: [_id(value, copy) for value in one[end]] for end in ("input", "output")}
            described[_id(key, copy)] = one | ends | {"name": f"{one['name']}.{copy}", "id": _id(key, copy)}
    executed = {"comp_seq": order, "var": variables, "operator": described, "mem_chunk": {}}
    return {"profiler": made | {"opr_internal_pf": {}}, "graph_exec": executed}


def _id(key: str, copy: int) -> str:
    return str(int(key) + copy * STEP)


if __name__ == "__main__":
    sys.exit(main())
