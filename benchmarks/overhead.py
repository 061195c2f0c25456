"""What a bench costs beside its rounds: simulated devices whose rounds have a fixed length.

    .venv/bin/python -m benchmarks.overhead [--devices 1,100] [--rounds 2] [--round-s 5] [--delay-ms 0]
        [--known] [--on-disk] [--out FILE]

The devices see no processes but their own, stand back, and have disks of their own (benchmarks/apart.py,
needs root); what they run costs next to nothing (benchmarks/fixed_rounds.py). They are new to farm, or with
--known had a bench before, so that the files are there. For each number of devices: the wall time of `farm
bench`, over the length of one device's rounds; the bare loop of asyncssh for the same devices
(benchmarks/rivals/bare.py), in the same call; and of each device the time from the end of a round (of its
program, by the device's own record) to the start of the next, less what the program takes until it can note
its start. Each is a line of FILE (benchmarks/data/overhead.jsonl). Wanted: the bench at most 1.05 of its
rounds plus the bare loop; from start to start at most 40 ms more than the round. With --delay-ms each device
is behind a proxy that holds each piece back for half as long in each direction; then 120 ms are wanted, and
of the whole nothing. Exit code 1 when one is missed.

With --known there is also the least that such a bench can take with farm's agent: a bare loop of asyncssh
that asks each device for the lease, the files and the rounds, all in one go, and for nothing else
(benchmarks/rivals/bare_bench.py).

The controller's files (runs, caches) are in memory as well, or with --on-disk where temporary files are: a
round makes about ten files and folders, for which an ext4 without a journal may take 3 ms of processor time
(it looks at each inode that was freed in the last minute, `recently_deleted`), a tmpfs 0.1 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import raw_records
from benchmarks.apart import APART, apart, devices_stand_back, disks_of_their_own, in_front
from benchmarks.fan_out import AGENT, CONTENDERS, Contender, as_installed, placed, run, through_proxies
from benchmarks.fixed_rounds import fixed_rounds
from farm.sim.device import SimulatedDevice
from farm.sim.fleet import Fleet, fleet
from farm.sim.places import Span
from farm.sim.properties import Properties

OUT = Path(__file__).parent / "data" / "overhead.jsonl"
USED = "load_and_run", "tiny.mge"
MOST_RATIO = 1.05
MOST_GAP_MS, MOST_FAR_GAP_MS = 40.0, 120.0


def gaps_ms(spans: tuple[Span, ...], start_up_ms: float) -> list[float]:
    """From the end of each round to the start of the next, in ms."""
    return [
        1000 * (after.began_s - before.ended_s) - start_up_ms
        for before, after in itertools.pairwise(spans)
        if before.ended_s is not None
    ]


def start_up_ms(program: str) -> float:
    """What the simulated program takes from its start to its end when it has nothing to do."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([program, "--help"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took.append(1000 * (time.perf_counter() - began))
    return min(took)


@dataclass(frozen=True)
class Asked:
    """What is measured, but for the number of devices."""

    rounds: int
    round_s: float
    delay_ms: float
    known: bool
    on_disk: bool


def benched(running: Fleet, folder: Path, rounds: int, iterations: int) -> float:
    """Wall time in s of a bench of all devices."""
    words = (
        *("bench", "--inventory", str(running.inventory), "--model", "bundled:tiny", "--check", "off"),
        *("--rounds", str(rounds), "--iter", str(iterations), "--warmup-iter", "0"),
    )
    began = time.monotonic()
    environment = {**as_installed(), "HOME": str(folder), "FARM_STAT": "/dev/null"}
    subprocess.run(
        (sys.executable, "-m", "farm", *words), cwd=folder, env=environment, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return time.monotonic() - began


def bare_bench(device: SimulatedDevice, rounds: int, iterations: int) -> Contender:
    """The least that so many rounds take of devices that had a bench before, of which this is one."""
    trees = device.home / ".cache" / "farm" / "trees"
    laid: dict[str, dict[str, str]] = {
        tree.name: {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tree.iterdir()}
        for tree in trees.iterdir()
    }
    program, model = (
        next(f"WORKDIR/trees/{tree}/{name}" for tree in laid if name in laid[tree]) for name in USED
    )
    requests = ["have " + " ".join(digest for files in laid.values() for digest in files.values())]
    requests += [
        " ".join(("tree", tree, *(f"{name}={digest}" for name, digest in files.items())))
        for tree, files in laid.items()
    ]
    for number in range(rounds):
        job = f"bare-{os.getpid()}-{number}"
        words = f"{program} {model} --iter={iterations} --warmup-iter=0"
        requests += [f"start EPOCH {job} 1800 600 0 0 0 {words}", f"wait {job}", f"gather {job} 100000"]
    command = "{python} {rivals}/bare_bench.py {hosts} {known} {agent} " + shlex.quote(json.dumps(requests))
    return Contender("asyncssh bench", command, in_rivals=False)


async def measured(count: int, asked: Asked) -> dict[str, Any]:
    """One record."""
    wanted = {f"d{n}": Properties(login=APART) for n in range(1, count + 1)}
    with tempfile.TemporaryDirectory() as name, disks_of_their_own() as memory:
        folder, disks = Path(name) if asked.on_disk else memory / "controller", memory / "devices"
        folder.mkdir(exist_ok=True)
        disks.mkdir()
        async with contextlib.AsyncExitStack() as stack:
            running = await stack.enter_async_context(fleet(wanted, disks))
            stack.enter_context(apart(running.devices))
            stack.enter_context(devices_stand_back())
            iterations = {fixed_rounds(device, asked.round_s) for device in running.devices.values()}.pop()
            place = await placed(running, folder, asked.delay_ms, None)
            if asked.delay_ms:
                await through_proxies(stack, running, place)
            await asyncio.to_thread(in_front, run, place, CONTENDERS[0])  # the agent gets there
            if asked.known:
                await asyncio.to_thread(in_front, benched, running, folder, 1, iterations)
            bare = next(one for one in CONTENDERS if one.name == AGENT)
            bare_s = (await asyncio.to_thread(in_front, run, place, bare))["wall_s"]
            first = next(iter(running.devices.values()))
            least_s = None
            if asked.known:
                bench = bare_bench(first, asked.rounds, iterations)
                least = await asyncio.to_thread(in_front, run, place, bench)
                least_s = None if least["exit_code"] else least["wall_s"]
            wall_s = await asyncio.to_thread(in_front, benched, running, folder, asked.rounds, iterations)
            runtime = first.entry()["runtime"]
            assert isinstance(runtime, dict)
            start_ms = await asyncio.to_thread(start_up_ms, str(runtime["program"]))
            spans = [device.spans()[-asked.rounds :] for device in running.devices.values()]
    own_s = max(sum(one.ended_s - one.began_s for one in few if one.ended_s is not None) for few in spans)
    between = [gap for few in spans for gap in gaps_ms(few, start_ms)]
    return {
        "devices": count,
        "delay_ms": asked.delay_ms,
        "known": asked.known,
        "on_disk": asked.on_disk,
        "rounds": asked.rounds,
        "rounds_s": round(own_s, 3),
        "bare_s": bare_s,
        "least_s": least_s,
        "wall_s": round(wall_s, 3),
        "start_up_ms": round(start_ms, 1),
        "gap_ms": round(statistics.median(between), 1),
    }


def told(record: dict[str, Any]) -> bool:
    """Print it; whether all is as wanted."""
    bound_s = MOST_RATIO * record["rounds_s"] + record["bare_s"]
    delay_ms = record["delay_ms"]
    known = ", known" if record["known"] else ""
    far = f"{known}, {delay_ms:g} ms there and back" if delay_ms else known
    far += ", run folder on disk" if record["on_disk"] else ""
    most_ms = MOST_FAR_GAP_MS if delay_ms else MOST_GAP_MS
    print(
        f"{record['devices']} devices{far}: {record['wall_s']:.1f} s for rounds of "
        f"{record['rounds_s']:.1f} s (bare loop {record['bare_s']:.1f} s), {record['gap_ms']:.0f} ms between "
        "two rounds"
    )
    if least_s := record["least_s"]:
        ratio = record["wall_s"] / least_s
        print(f"  {ratio:.2f} of a bare bench with the same agent, which took {least_s:.1f} s")
    good = bool(delay_ms) or record["wall_s"] <= bound_s, record["gap_ms"] <= most_ms
    if not delay_ms:
        print(f"  {'pass' if good[0] else 'FAIL'}  at most {bound_s:.1f} s")
    print(f"  {'pass' if good[1] else 'FAIL'}  at most {most_ms:g} ms between two rounds")
    return all(good)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", default="1,100", type=lambda text: [int(one) for one in text.split(",")])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--round-s", type=float, default=5.0)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--known", action="store_true")
    parser.add_argument("--on-disk", action="store_true")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    asked = Asked(given.rounds, given.round_s, given.delay_ms, given.known, given.on_disk)
    is_all = True
    for count in given.devices:
        record = asyncio.run(measured(count, asked))
        at = datetime.now(UTC).isoformat(timespec="seconds")
        raw_records.append(given.out, {"at": at, "load": os.getloadavg()[0], **record})
        is_all &= told(record)
    return 0 if is_all else 1


if __name__ == "__main__":
    raise SystemExit(main())
