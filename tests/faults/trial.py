"""One run of several devices that something is done to, and what is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from farm.sim.device import SimulatedDevice
from farm.sim.fleet import Fleet
from farm.sim.properties import Program, Properties
from tests.faults.faults import BEYOND_S, Kind, Victim

DEVICES = 5
ROUNDS = 3
VARIANTS = ("plain", "nchw44")
DEVICE = Properties(Program(latency_ms=8.0, pace=1.0))
"""Its rounds take about a quarter of a second."""
ASKED = (
    *(
        "--model",
        "bundled:tiny",
        "--variant",
        "plain=",
        "--variant",
        "nchw44=--enable-nchw44",
        "--iter",
        "25",
    ),
    *("--rounds", str(ROUNDS), "--check", "off"),
)
SHORT = (
    *("--deadline", "beat=0.5", "--deadline", "keepalive=0.3", "--deadline", "reply=1"),
    *("--deadline", "connect=2", "--reconnect", "1"),
)
"""A lease lives for 5 s with these, so that a stop beyond all deadlines takes seconds."""
PATIENT = ("--reconnect", "20")
"""Where a device may be away for a moment."""
LIMIT_S = 120.0
MOST_RESUMES = 4


@dataclass
class Trial:
    """`found` is what is not as it should be: empty is good."""

    kind: str
    seed: int
    at_s: float
    seconds: float = 0.0
    exit_codes: list[int] = field(default_factory=list)
    rounds: int = 0
    runs: int = 0
    found: list[str] = field(default_factory=list)


async def trial(kind: Kind, seed: int, running: Fleet, folder: Path) -> Trial:
    """Begin a run, strike at a random moment, resume until it is complete, and look at all that is left."""
    chance = random.Random(seed)
    devices = list(running.devices.values())
    done = Trial(kind.name, seed, round(chance.uniform(0.3, 4.0), 3))
    name = f"{kind.name}-{seed}"
    before = [len(device.runs()) for device in devices]
    began = time.monotonic()
    limits = PATIENT if kind.name in {"server-restart", "reboot"} else SHORT
    where = ("--inventory", str(running.inventory))
    process = await _start(folder, "bench", *where, *ASKED, *limits, "--run-id", name)
    striking = asyncio.create_task(_strike(kind, Victim(process, devices, chance), done.at_s))
    done.exit_codes.append(await _end(process))
    await striking
    while done.exit_codes[-1] != 0 and len(done.exit_codes) <= MOST_RESUMES:
        words = ("runs", "resume", name, "--wait", "20")
        if not (folder / "runs" / name / "run.json").exists():  # killed before it had begun anything
            words = ("bench", *where, *ASKED, *limits, "--run-id", f"{name}-anew")
        done.exit_codes.append(await _end(await _start(folder, *words)))
    ended = folder / "runs" / (name if (folder / "runs" / name / "run.json").exists() else f"{name}-anew")
    done.runs = sum(len(device.runs()) for device in devices) - sum(before)
    done.found = [*_of_results(ended, done), *await asyncio.to_thread(_left, devices)]
    expected = len(devices) * len(VARIANTS) * ROUNDS
    if done.runs < expected or (done.runs > expected and not kind.ends_rounds):
        done.found.append(f"{done.runs} runs of the program for {expected} rounds")
    done.seconds = round(time.monotonic() - began, 1)
    return done


async def _strike(kind: Kind, victim: Victim, at_s: float) -> None:
    await asyncio.sleep(at_s)
    if victim.controller.returncode is None:
        try:
            await kind.strike(victim)
        except ProcessLookupError:
            return  # it has just ended


async def _start(folder: Path, *words: str) -> asyncio.subprocess.Process:
    environment = os.environ | {
        "HOME": str(folder / "home"), "FARM_CACHE_DIR": str(folder / "cache"), "COLUMNS": "80",
        "FARM_STAT": "/dev/null",
        "FARM_SHARED": "/dev/null",
    }  # fmt: skip
    environment.pop("SSH_AUTH_SOCK", None)
    with (folder / "log.txt").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "farm", *words,
            cwd=folder, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip


async def _end(process: asyncio.subprocess.Process) -> int:
    try:
        async with asyncio.timeout(LIMIT_S):
            return await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        return -1


def _of_results(run: Path, done: Trial) -> list[str]:
    """What is wrong with the cells and rounds of a run."""
    try:
        results: dict[str, Any] = json.loads((run / "results.json").read_bytes())
    except (OSError, ValueError) as error:
        return [f"no results: {error}"]
    found = []
    wanted = [f"timed-{index}" for index in range(ROUNDS)]
    for cell in results["cells"]:
        rounds = [f"{one['kind']}-{one['index']}" for one in cell["rounds"]]
        done.rounds += len(rounds)
        if cell["status"] != "completed" or rounds != wanted:
            why = cell["error"] or cell["reason"] or ""
            found.append(f"{cell['device']}/{cell['variant']}: {cell['status']}, rounds {rounds} {why}")
    if len(results["cells"]) != DEVICES * len(VARIANTS):
        found.append(f"{len(results['cells'])} cells")
    return found


def _lease(folder: Path) -> str:
    """What the lease is once it had time to run out: a controller that is struck as it says goodbye leaves that
    to the device, and a resumed run has no business with a device whose cells are all complete.
    """
    until = time.monotonic() + BEYOND_S
    while True:
        leases = sorted(folder.glob("1*"))
        state = str(leases[-1].readlink()) if leases else "free"
        if not state.startswith("held:"):
            return state
        since, ttl = map(int, state.split(":")[1:3])
        with contextlib.suppress(OSError, ValueError):
            since = int((folder / f"beat.{leases[-1].name}").read_text()) - 1_000_000_000
        if float(Path("/proc/uptime").read_text().split()[0]) - since > ttl + 1:
            return "free"
        if time.monotonic() > until:
            return state
        time.sleep(0.1)


def _left(devices: Sequence[SimulatedDevice]) -> list[str]:
    """Processes, leases and jobs that are left on devices."""
    found = []
    for device in devices:
        if running := device.running():
            found.append(f"{device.name}: {len(running)} processes left")
        if (state := _lease(device.home / ".cache/farm/lease")) != "free":
            found.append(f"{device.name}: lease {state}")
        spool = device.home / ".cache/farm/spool"
        if spool.is_dir() and (jobs := sorted(one.name for one in spool.iterdir())):
            found.append(f"{device.name}: jobs {jobs}")
    return found
