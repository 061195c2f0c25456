"""What one more device costs the controller, from few devices to many.

    .venv/bin/python -m benchmarks.growth [--devices 10,50,100,200,500] [--out FILE]

Starts so many simulated devices (a real sshd each), has `farm devices check` reach all of them, and then a
`farm bench` that holds all of them at once, a round of 1 s each. Counted: wall time, and processor time and
memory of the controller's process alone. The cost of one more device between two sizes is the difference of
both, over that of their numbers; the start of the command is in neither. Each size is a line of FILE
(benchmarks/data/growth.jsonl). Wanted: no device is lost, and no step costs more than 1.5 times the one
before it. Exit code 1 when that is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import raw_records
from benchmarks.fan_out import as_installed
from farm.sim.fleet import fleet
from farm.sim.properties import Program, Properties

OUT = Path(__file__).parent / "data" / "growth.jsonl"
LATENCY_MS = 10.0
ITERATIONS = 100
MOST_RATIO = 1.5
BAR = 50
LEAST_CPU_MS = 1.0
"""Of one more device; differences below it are noise."""

CHECK = ("devices", "check", "--json")
BENCH = (
    *("bench", "--model", "bundled:tiny", "--check", "off", "--rounds", "1", "--warmup-iter", "0"),
    *("--iter", str(ITERATIONS), "--json"),
)


def called(folder: Path, inventory: Path, words: Sequence[str]) -> dict[str, Any]:
    """One command for all devices: what it cost, and its results."""
    environment = {**as_installed(), "HOME": str(folder), "FARM_STAT": "/dev/null"}
    argv = (sys.executable, "-m", "farm", *words, "--inventory", str(inventory))
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told_errors:
        began = time.monotonic()
        process = subprocess.Popen(argv, stdout=said, stderr=told_errors, cwd=folder, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        told_errors.seek(0)
        if not (text := said.read()):
            raise SystemExit(told_errors.read().decode("utf-8", "replace"))
    return {
        "exit_code": process.returncode,
        "wall_s": round(wall_s, 3),
        "cpu_s": round(used.ru_utime + used.ru_stime, 3),
        "memory_mb": round(used.ru_maxrss / 1024, 1),
        "results": json.loads(text),
    }


async def measured(count: int) -> dict[str, Any]:
    """One record."""
    wanted = {f"d{n}": Properties(Program(latency_ms=LATENCY_MS, pace=1.0)) for n in range(1, count + 1)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with fleet(wanted, folder) as running:
            await asyncio.to_thread(called, folder, running.inventory, CHECK)  # the agent gets there
            check = await asyncio.to_thread(called, folder, running.inventory, CHECK)
            bench = await asyncio.to_thread(called, folder, running.inventory, BENCH)
    checked = sum(one["error"] is None for one in check.pop("results"))
    cells = bench.pop("results")["cells"]
    completed = sum(one["status"] == "completed" for one in cells)
    return {"devices": count, "checked": checked, "completed": completed, "check": check, "bench": bench}


def told(records: Sequence[dict[str, Any]]) -> bool:
    """Print them; whether all is as wanted."""
    is_good = all(one["devices"] == one["checked"] == one["completed"] for one in records)
    print(f"{'':8}{'devices':>8}{'lost':>6}{'wall':>9}{'CPU':>9}{'memory':>9}  one more device")
    for what, lost_by in (("check", "checked"), ("bench", "completed")):
        steps: list[float] = []
        most_ms = max((cpu for _, cpu, _ in _steps(records, what)), default=0.0)
        found = [None, *_steps(records, what)]
        for one, step in zip(records, found, strict=True):
            row = one[what]
            lost = one["devices"] - one[lost_by]
            line = f"{what:8}{one['devices']:>8}{lost:>6}{row['wall_s']:>7.1f} s{row['cpu_s']:>7.1f} s"
            line += f"{row['memory_mb']:>6.0f} MB"
            if step is not None:
                _, cpu_ms, memory_mb = step
                steps.append(max(cpu_ms, LEAST_CPU_MS))
                bar = "#" * round(BAR * max(cpu_ms, 0) / most_ms) if most_ms > 0 else ""
                line += f"  {cpu_ms:5.1f} ms {memory_mb:5.2f} MB  {bar}"
            print(line)
        flat = all(after <= MOST_RATIO * before for before, after in itertools.pairwise(steps))
        word = "pass" if flat else "FAIL"
        print(f"  {word}  CPU of one more device at most {MOST_RATIO:g}x of the step before")
        is_good &= flat
    every = all(one["devices"] == one["checked"] == one["completed"] for one in records)
    print(f"  {'pass' if every else 'FAIL'}  no device is lost")
    return is_good


def _steps(records: Sequence[dict[str, Any]], what: str) -> list[tuple[int, float, float]]:
    """Of each size after the first: devices, and ms of processor time and MB of one more device."""
    return [
        (
            after["devices"],
            1000 * (after[what]["cpu_s"] - before[what]["cpu_s"]) / (after["devices"] - before["devices"]),
            (after[what]["memory_mb"] - before[what]["memory_mb"]) / (after["devices"] - before["devices"]),
        )
        for before, after in itertools.pairwise(records)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--devices", default="10,50,100,200,500", type=lambda text: [int(one) for one in text.split(",")]
    )
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    records = []
    for count in given.devices:
        record = asyncio.run(measured(count))
        at = datetime.now(UTC).isoformat(timespec="seconds")
        raw_records.append(given.out, {"at": at, "load": os.getloadavg()[0], **record})
        print(
            f"{count} devices: {record['check']['wall_s']} and {record['bench']['wall_s']} s", file=sys.stderr
        )
        records.append(record)
    return 0 if told(records) else 1


if __name__ == "__main__":
    raise SystemExit(main())
