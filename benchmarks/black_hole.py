"""One of many devices does not answer: what that costs the run of all the others.

    .venv/bin/python -m benchmarks.black_hole [--devices 50] [--repeat 1] [--out FILE]

Starts so many simulated devices (a real sshd each), one of them behind a proxy that takes connections and
then passes no byte on. Runs `farm bench` on the others, on all, and on the others again; wall times are of
one call of this script. The bound: with the dead device a run takes at most the larger of 1.05 times the
longer of the two without it, and the connect limit plus 2 s; no other device's cell fails. The connect limit
is that of all three tries, each of 5 s here. Each record is a line of FILE, else of black_hole.jsonl in
benchmarks/data; exit code 1 when the bound is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from farm.model.device import KNOWN_HOSTS
from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Properties
from farm.transport.base import Timeouts
from tests.faults.process import make_place, run
from tests.proxy import ChaosProxy

OUT = Path(__file__).parent / "data" / "black_hole.jsonl"
DEAD = "dead"
MOST_RATIO = 1.05
GRACE_S = 2.0
ATTEMPT_S = 5.0
"""Of each try to connect, and of each to log in: the proxy takes connections, so the second is what ends."""
PAUSES_S = 2.5
"""Between three tries, at most (farm/transport/link.py)."""


async def bench(folder: Path, inventory: Path, name: str) -> tuple[float, int, dict[str, Any]]:
    """Wall time in s, exit code and results of a bench on these devices."""
    began = time.monotonic()
    code, said = await run(
        folder, "bench", "--inventory", str(inventory), "--model", "bundled:tiny", "--iter", "10",
        "--rounds", "2", "--check", "off", "--run-id", name,
        "--deadline", f"connect={ATTEMPT_S:g}", "--deadline", f"login={ATTEMPT_S:g}",
    )  # fmt: skip
    wall_s = time.monotonic() - began
    try:
        return wall_s, code, json.loads((folder / "runs" / name / "results.json").read_bytes())
    except OSError as error:
        raise SystemExit(f"exit code {code}, no results: {said[-500:]}") from error


def inventories(running: Fleet, folder: Path, port: int) -> tuple[Path, Path]:
    """Of the devices that answer, and of all, with the dead one behind this port."""
    found = []
    known = (running.inventory.parent / KNOWN_HOSTS).read_text()
    for kind in ("alive", "all"):
        place = folder / kind
        place.mkdir()
        devices = {name: device.entry() for name, device in running.devices.items()}
        devices[DEAD] |= {"port": port}
        if kind == "alive":
            del devices[DEAD]
        (place / KNOWN_HOSTS).write_text(known)
        (place / "lab.yaml").write_text(json.dumps({"devices": devices}))
        found.append(place / "lab.yaml")
    return found[0], found[1]


async def measure(count: int, number: int) -> dict[str, Any]:
    """One record."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_place(folder)
        names = [*(f"board-{index}" for index in range(1, count)), DEAD]
        async with (
            fleet(dict.fromkeys(names, Properties()), folder / "devices") as running,
            ChaosProxy(running.devices[DEAD].port) as proxy,
        ):
            proxy.stall()
            alive, everything = await asyncio.to_thread(inventories, running, folder, proxy.port)
            await bench(folder, alive, "warm")  # programs are pushed, caches filled
            before_s, _, _ = await bench(folder, alive, "before")
            with_s, code, results = await bench(folder, everything, "with")
            after_s, _, _ = await bench(folder, alive, "after")
            connections = proxy.connections
    cells = {cell["device"]: cell for cell in results["cells"]}
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "repeat": number,
        "load_1m": os.getloadavg()[0],
        "devices": count,
        "before_s": round(before_s, 2),
        "with_s": round(with_s, 2),
        "after_s": round(after_s, 2),
        "connect_limit_s": Timeouts().attempts * ATTEMPT_S + PAUSES_S,
        "connections": connections,
        "exit_code": code,
        "dead": [cells[DEAD]["status"], cells[DEAD]["stage"], cells[DEAD]["cause"]],
        "others_failed": [
            name for name, cell in cells.items() if name != DEAD and cell["status"] != "completed"
        ],
    }


def told(record: dict[str, Any]) -> bool:
    """Print it; whether the bound holds."""
    without_s = max(record["before_s"], record["after_s"])
    most_s = max(MOST_RATIO * without_s, record["connect_limit_s"] + GRACE_S)
    is_good = record["with_s"] <= most_s and not record["others_failed"] and record["exit_code"] == 3
    print(
        f"{'pass' if is_good else 'FAIL'}  {record['devices']} devices, one of them dead: "
        f"{record['with_s']:.1f} s, without it {record['before_s']:.1f} and {record['after_s']:.1f} s, "
        f"bound {most_s:.1f} s (connect limit {record['connect_limit_s']:g} s, "
        f"{record['connections']} connections); dead: {record['dead']}, others that failed: "
        f"{record['others_failed'] or 'none'}; load {record['load_1m']:.1f}"
    )
    return is_good


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    is_good = True
    for number in range(given.repeat):
        commit = subprocess.check_output(["git", "describe", "--always", "--dirty"], text=True).strip()
        record = {"commit": commit, **asyncio.run(measure(given.devices, number))}
        with given.out.open("a") as stream:
            stream.write(json.dumps(record) + "\n")
        is_good &= told(record)
    return 0 if is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
