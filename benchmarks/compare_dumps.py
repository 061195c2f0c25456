"""Dumps of every tensor: farm against MegEngine's own tool, on the same real dump.

    python benchmarks/compare_dumps.py [MiB of a dump, default 1536]

The dump is real: the wheel runtime runs the bundled ShuffleNet with a batch large enough, twice, once with a
weight changed. MegEngine's tool is `megengine/tools/compare_binary_iodump.py`, which is in its wheel for
CPython 3.10; here it is read from the source file that COMPARE_BINARY_IODUMP names, because the wheel runtime
of farm keeps the libraries only. Both are processes of their own, measured from start to end, best of two;
memory is the largest resident set of one process, and for several workers their sum.

Passes where one worker has at least 1.3x the tool's speed in at most half its memory, and two workers have at
least 1.7x the speed of one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from farm import agents, resources
from farm.dumps.tensor import parse_tensor
from farm.runtime import install

MODEL = "shufflenet_v2_x0_5"
BYTES_OF_A_PICTURE = 12_200_000
"""What a dump grows by with each picture of the batch."""

FASTER, SMALLER, TWO_WORKERS = 1.3, 0.5, 1.7
TIMES = 2


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


def seconds_and_mib(command: list[str]) -> tuple[float, float]:
    """Of a process with its children, best of TIMES; the memory is the largest sum that was seen."""
    best, most = float("inf"), 0.0
    for _ in range(TIMES):
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peaks: dict[int, int] = {}
        while process.poll() is None:
            for pid in (process.pid, *_children(process.pid)):
                peaks[pid] = max(peaks.get(pid, 0), _peak_kib(pid))
            time.sleep(0.02)
        best = min(best, time.perf_counter() - began)
        most = max(most, sum(peaks.values()) / 1024)
    return best, most


def _children(pid: int) -> list[int]:
    try:
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _peak_kib(pid: int) -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def main() -> int:
    mebibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1536
    tool = os.environ.get("COMPARE_BINARY_IODUMP")
    bundled = resources.folder("bundled")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        run = program(folder / "program")
        picture = np.load(bundled / f"{MODEL}.data.npy")
        batch = max(1, -(-(mebibytes << 20) // BYTES_OF_A_PICTURE))
        noise = 1 + 0.01 * np.arange(batch, dtype=np.float32).reshape(batch, 1, 1, 1)
        np.save(folder / "data.npy", (picture * noise).astype(np.float32))
        model = bundled / f"{MODEL}.mge"
        dump(run, model, folder / "data.npy", folder / "plain")
        with_changed_weight(model, folder / "plain", folder / "changed.mge")
        dump(run, folder / "changed.mge", folder / "data.npy", folder / "changed")
        size = sum(path.stat().st_size for path in (folder / "plain").iterdir())
        sides = [str(folder / "plain"), str(folder / "changed")]
        print(f"{len(list((folder / 'plain').iterdir()))} tensors, {size >> 20} MiB a side, batch {batch}")
        own = [sys.executable, "-m", "farm.cli.main", "dumps", "compare", *sides, "--jobs"]
        measured = {f"farm, {n} workers": seconds_and_mib([*own, str(n)]) for n in (1, 2)}
        if tool:
            measured["compare_binary_iodump"] = seconds_and_mib([sys.executable, tool, *sides])
        for what, (seconds, most) in measured.items():
            print(f"{what:24} {seconds:7.2f} s {most:7.0f} MiB")
        with (Path(__file__).parent / "data" / "compare_dumps.jsonl").open("a") as stream:
            stream.write(json.dumps({"mebibytes": size >> 20, "seconds_and_mib": measured}) + "\n")
    return _judged(measured, is_large=size >= 500 << 20)


def _judged(measured: dict[str, tuple[float, float]], *, is_large: bool) -> int:
    (one, memory), (two, _), *tool = measured.values()
    checks = [(f"two workers {one / two:.2f}x one (at least {TWO_WORKERS})", one / two >= TWO_WORKERS)]
    if tool:
        (theirs, most) = tool[0]
        faster = theirs / one
        checks.append((f"one worker {faster:.2f}x the tool (at least {FASTER})", faster >= FASTER))
        checks.append((f"{memory / most:.2f}x its memory (at most {SMALLER})", memory / most <= SMALLER))
    else:
        checks.append(("COMPARE_BINARY_IODUMP names no tool", False))
    checks.append(("the dump has 500 MB", is_large))
    for text, is_good in checks:
        print(f"{'pass' if is_good else 'FAIL'}: {text}")
    return 0 if all(is_good for _, is_good in checks) else 1


if __name__ == "__main__":
    raise SystemExit(main())
