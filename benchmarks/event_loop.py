"""Whether a device can keep farm from the others: CPU time of each callback of the event loop in a bench
whose rounds print very long logs, on simulated devices behind real SSH servers.

    .venv/bin/python benchmarks/event_loop.py [DEVICES] [LOG_MIB]

Wanted: no callback takes more than 100 ms of CPU time of its thread, and no lease is lost.
"""

from __future__ import annotations

import asyncio
import asyncio.events
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

WANTED_MS = 100.0
LONGEST_SHOWN = 5


def measured(report: Path) -> None:
    """Run farm in this process; the callbacks that took longest go to `report`."""
    longest: list[tuple[float, str]] = []
    run = asyncio.events.Handle._run  # noqa: SLF001 - where every callback passes

    def timed(handle: asyncio.Handle) -> None:
        name = repr(getattr(handle, "_callback", handle))[:160]
        began = time.thread_time()
        try:
            run(handle)
        finally:
            taken_ms = (time.thread_time() - began) * 1000
            if len(longest) < LONGEST_SHOWN or taken_ms > longest[-1][0]:
                longest.append((taken_ms, name))
                longest.sort(reverse=True)
                del longest[LONGEST_SHOWN:]

    asyncio.events.Handle._run = timed  # type: ignore[method-assign]  # noqa: SLF001
    from farm.cli.main import main

    try:
        main()
    finally:
        report.write_text(json.dumps(longest))


async def compare(devices: int, log_mib: int) -> bool:
    from farm.sim.fleet import fleet
    from farm.sim.properties import Program, Properties

    odd = Properties(program=Program(log_bytes=log_mib << 20))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "devices").mkdir()
        environment = os.environ | {"HOME": name, "FARM_CACHE_DIR": str(folder / "cache")}
        inside = (sys.executable, __file__, "--inside", str(folder / "callbacks"))
        async with fleet({f"d{i}": odd for i in range(devices)}, folder / "devices") as running:
            words = ("--inventory", str(running.inventory), "--model", "bundled:tiny", "--rounds", "2")
            command = (*inside, "bench", *words, "--run-id", "one")
            began = time.monotonic()
            ended = await asyncio.to_thread(
                subprocess.run, command, cwd=folder, env=environment, stderr=subprocess.PIPE, check=False
            )
            taken_s = time.monotonic() - began
        cells = json.loads((folder / "runs/one/results.json").read_text("utf-8"))["cells"]
        longest = json.loads((folder / "callbacks").read_text("utf-8"))
    print(f"{devices} devices, logs of {log_mib} MiB: {taken_s:.0f} s, exit code {ended.returncode}")
    print(f"cells: {dict(Counter((cell['status'], cell['cause']) for cell in cells))}")
    for taken_ms, what in longest:
        print(f"  {taken_ms:7.1f} ms  {what}")
    is_quick = longest[0][0] <= WANTED_MS
    lost = {"stale", "lease-lost", "connection-lost"} & {cell["cause"] for cell in cells}
    is_held = not lost and b"lease not renewed" not in ended.stderr
    print(f"no callback over {WANTED_MS:.0f} ms: {'pass' if is_quick else 'FAIL'}")
    print(f"no lease was lost: {'pass' if is_held else 'FAIL'}")
    return is_quick and is_held


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        report = Path(sys.argv[2])
        sys.argv[:] = ["farm", *sys.argv[3:]]
        measured(report)
    else:
        numbers = [int(word) for word in sys.argv[1:]]
        sys.exit(not asyncio.run(compare(*(numbers + [20, 64][len(numbers) :]))))
