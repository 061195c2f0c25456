"""Dumps of every tensor: farm against MegEngine's own tool, on the same real dump.

    COMPARE_BINARY_IODUMP=T .venv/bin/python benchmarks/compare_dumps.py [--folder DIR] [--turns N] [--mib N]

The dump is real: the wheel runtime runs the bundled ShuffleNet with a batch large enough, twice, once with a
weight changed; `--folder` keeps it for a later call. T is `megengine/tools/compare_binary_iodump.py` of
MegEngine's source; it is not in the wheel runtime of farm, which keeps the libraries only.

In a turn farm with one worker, farm with two and the tool each compare the dump once, in an order that
changes from turn to turn: processes of their own, from start to end. Memory is the largest resident set of
one, for several workers the sum. Each turn is a record in benchmarks/data/compare_dumps.jsonl, with what else
the machine did meanwhile; figures are medians over the turns of this code, size and number of cores, also of
earlier calls, in which others used at most 3 % of the machine. Passes where one worker has at least 1.3x the
tool's speed in at most half its memory, and two workers at least 1.7x the speed of one. Exit code 2: too few
turns in quiet to say so.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import raw_records

from farm import agents, resources
from farm.dumps.tensor import parse_tensor
from farm.runtime import install

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "benchmarks" / "data" / "compare_dumps.jsonl"
MEASURED = ("farm/analysis", "farm/dumps", "farm/run/tensors", "farm/worker.py", "farm/cli/dumps")
MODEL = "shufflenet_v2_x0_5"
BYTES_OF_A_PICTURE = 12_200_000
"""What a dump grows by with each picture of the batch."""

FASTER, SMALLER, TWO_WORKERS = 1.3, 0.5, 1.7
LEAST_BYTES = 500_000_000
QUIET = 0.03
LEAST_TURNS = 3
ONE, TWO, TOOL = "farm, 1 worker", "farm, 2 workers", "compare_binary_iodump"


def program(folder: Path) -> Path:
    """The wheel runtime as it lies on a device."""
    runtime = install.ensure(lambda *_: None)
    files = {f"lib/{one.name}": one.path for one in runtime.libraries}
    files |= {name: artifact.path for name, artifact in agents.runner_files()}
    for name, path in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(path)
    return folder / "load_and_run.py"


def dump(run: Path, model: Path, data: Path, target: Path) -> None:
    target.mkdir()
    options = ["--input", f"data:{data}", "--iter", "1", "--warmup-iter", "0", "--bin-io-dump", str(target)]
    command = [sys.executable, "-B", "-I", "-S", str(run), str(model), *options]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "MGB_WORKER_MAX_SPIN": "0"})


def with_changed_weight(model: Path, plain: Path, target: Path) -> None:
    """The model with another number in the first weight that is in its bytes once."""
    data = model.read_bytes()
    for path in sorted(plain.iterdir()):
        tensor = parse_tensor(path.read_bytes()) if path.stat().st_size < 1 << 20 else None
        if tensor is None or "ImmutableTensor" not in tensor.owner or tensor.values is None:
            continue
        old = np.ascontiguousarray(tensor.values)
        if old.size > 100 and data.count(old.tobytes()) == 1:
            new = old.copy()
            new.flat[0] += 0.5
            target.write_bytes(data.replace(old.tobytes(), new.tobytes()))
            return
    raise SystemExit("no weight of the model is in its bytes as it is dumped")


def dumps(folder: Path, mebibytes: int) -> tuple[Path, Path]:
    """Two dumps of at least so many MiB: those that are there, or new ones."""
    done = folder / f"of {mebibytes} MiB"
    sides = done / "plain", done / "changed"
    if (done / "whole").exists():
        return sides
    run, bundled = program(done / "program"), resources.folder("bundled")
    picture = np.load(bundled / f"{MODEL}.data.npy")
    batch = max(1, -(-(mebibytes << 20) // BYTES_OF_A_PICTURE))
    noise = 1 + 0.01 * np.arange(batch, dtype=np.float32).reshape(batch, 1, 1, 1)
    np.save(done / "data.npy", (picture * noise).astype(np.float32))
    model, changed = bundled / f"{MODEL}.mge", done / "changed.mge"
    dump(run, model, done / "data.npy", sides[0])
    with_changed_weight(model, sides[0], changed)
    dump(run, changed, done / "data.npy", sides[1])
    (done / "whole").touch()
    return sides


def measured(command: list[str]) -> dict[str, float]:
    """Of a process with its children: seconds, seconds of processors, the largest sum of memory that was
    seen, and which share of the machine others used meanwhile.
    """
    others, own = _busy_s(), _used_s()
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peaks: dict[int, int] = {}
    while process.poll() is None:
        for pid in (process.pid, *_children(process.pid)):
            peaks[pid] = max(peaks.get(pid, 0), _peak_kib(pid))
        time.sleep(0.05)
    wall_s = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {command}")
    used_s = _used_s() - own
    others_s = max(0.0, _busy_s() - others - used_s)
    cores = os.cpu_count() or 1
    return {
        "wall_s": wall_s,
        "cpu_s": used_s,
        "mib": sum(peaks.values()) / 1024,
        "others": others_s / wall_s / cores,
    }


def _used_s() -> float:
    """Processor time of this process and of all that it waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def _busy_s() -> float:
    """Processor time of all, idle time, waits for disks and guests left out."""
    fields = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):  # a thread of it may have started one
        try:
            found += [int(text) for text in task.read_text().split()]
        except OSError:
            continue
    return found


def _peak_kib(pid: int) -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mib", type=int, default=3072, help="size of a dump")
    parser.add_argument("--turns", type=int, default=5, help="0: only judge the records")
    parser.add_argument("--folder", type=Path, help="keep the dumps here")
    given = parser.parse_args()
    key = {"mib": given.mib, "cores": os.cpu_count(), "code": _code()}
    if given.turns:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
            _measure(given.folder or Path(folder), key, given.turns)
    records = [one for one in raw_records.read(RECORDS) if one["key"] == key]
    return judged([one["turn"] for one in records], [one["bytes"] for one in records])


def _measure(folder: Path, key: dict[str, Any], turns: int) -> None:
    sides = dumps(folder, key["mib"])
    size = sum(path.stat().st_size for path in sides[0].iterdir())
    print(f"{len(list(sides[0].iterdir()))} tensors, {size >> 20} MiB a side")
    texts = [str(side) for side in sides]
    own = [sys.executable, "-P", "-m", "farm.cli.main", "dumps", "compare", *texts, "--jobs"]
    commands = {ONE: [*own, "1"], TWO: [*own, "2"]}
    if tool := os.environ.get("COMPARE_BINARY_IODUMP"):
        commands[TOOL] = [sys.executable, tool, *texts]
    os.environ["PYTHONPATH"] = str(ROOT)
    measured(commands[ONE])  # not counted: it fills the system's cache of files
    for turn in range(turns):
        names = list(commands)
        names = names[turn % len(names) :] + names[: turn % len(names)]
        found = {name: measured(commands[name]) for name in names}
        raw_records.append(RECORDS, {"key": key, "bytes": size, "turn": found})
        print("; ".join(f"{name} {one['wall_s']:.2f} s" for name, one in found.items()), flush=True)


def _code() -> str:
    """Of the code that is measured."""
    files: list[Path] = []
    for place in (ROOT / name for name in MEASURED):
        files += [place] if place.is_file() else sorted(place.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def judged(turns: list[dict[str, dict[str, float]]], sizes: list[int]) -> int:
    """Prints medians and what passes. The exit code: 0, 1 for a failure, 2 for too few turns in quiet."""
    quiet = [turn for turn in turns if all(one["others"] <= QUIET for one in turn.values())]
    print(f"{len(turns)} turns, others used more than {QUIET:.0%} in {len(turns) - len(quiet)} of them")
    counted = quiet or turns
    middle = {
        name: {what: statistics.median(turn[name][what] for turn in counted) for what in counted[0][name]}
        for name in (ONE, TWO, TOOL)
        if counted and all(name in turn for turn in counted)
    }
    for name, one in middle.items():
        print(f"{name:24} {one['wall_s']:6.2f} s, {one['cpu_s']:6.2f} s of processors, {one['mib']:6.0f} MiB")
    if ONE not in middle:
        return 2
    checks = _checks(middle)
    checks.append(("the dump has 500 MB", min(sizes) >= LEAST_BYTES))
    for text, is_good in checks:
        print(f"{'pass' if is_good else 'FAIL'}: {text}")
    if len(quiet) < LEAST_TURNS:
        print(f"undecided: {LEAST_TURNS} turns in quiet are needed")
        return 2
    return 0 if all(is_good for _, is_good in checks) else 1


def _checks(middle: dict[str, dict[str, float]]) -> list[tuple[str, bool]]:
    one, two = middle[ONE], middle[TWO]
    scaled = one["wall_s"] / two["wall_s"]
    # by Amdahl's law, what no second worker makes shorter: S + P and S + P / 2
    alone_s = max(0.0, 2 * two["wall_s"] - one["wall_s"])
    checks = [
        (
            f"two workers {scaled:.2f}x one (at least {TWO_WORKERS}); {alone_s:.2f} s are not shared",
            scaled >= TWO_WORKERS,
        )
    ]
    if TOOL not in middle:
        return [*checks, ("COMPARE_BINARY_IODUMP names no tool", False)]
    faster, smaller = middle[TOOL]["wall_s"] / one["wall_s"], one["mib"] / middle[TOOL]["mib"]
    checks.append((f"one worker {faster:.2f}x the tool (at least {FASTER})", faster >= FASTER))
    checks.append((f"{smaller:.2f}x its memory (at most {SMALLER})", smaller <= SMALLER))
    return checks


if __name__ == "__main__":
    raise SystemExit(main())
