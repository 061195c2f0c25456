"""What a connection to a device, and a call on one that is open, cost the controller's processor.

    .venv/bin/python -m benchmarks.connections [--devices 40] [--repeat 5] [--calls 50] [--out FILE]

Starts so many simulated devices (a real sshd each), and another process that is the controller and measures
its own processor time: of connecting to all of them at once, with the agent started and all that `farm
devices check` asks answered and read; of the same by a bare loop of asyncssh, which reads nothing of it
(benchmarks/rivals/bare.py); and of calls that the agent answers without a process, one after the other on
each connection, on all of them at once. The contenders take turns, and the least of all repetitions counts:
it is what the work costs when nobody is in the way. Each call adds a line to FILE
(benchmarks/data/connections.jsonl). Wanted: at most 5 ms for a connection, 1 ms for a call. Exit code 1 when
one is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import raw_records
from benchmarks.fan_out import REQUESTS, RIVALS
from farm import agents
from farm.device.start import BOOTSTRAP
from farm.inventory import read_devices
from farm.model.device import ALL_DEVICES, KNOWN_HOSTS, Device
from farm.model.limits.deadlines import Deadlines
from farm.run.devices.agents import agent_of
from farm.run.devices.check import check_devices
from farm.sim.fleet import fleet
from farm.sim.properties import Properties
from farm.transport.channel import command_line
from farm.transport.pool import open_transports

sys.path.insert(0, str(RIVALS))
import bare
from hosts import Host

OUT = Path(__file__).parent / "data" / "connections.jsonl"
MOST_MS = {"connection": 5.0, "call": 1.0}


async def used_ms(work: Callable[[], Awaitable[object]]) -> float:
    """Processor time of this process in ms."""
    began_ns = time.process_time_ns()
    await work()
    return (time.process_time_ns() - began_ns) / 1e6


@dataclass(frozen=True)
class Place:
    """The devices of an inventory file."""

    inventory: Path
    devices: tuple[Device, ...]

    @property
    def known(self) -> Path:
        return self.inventory.parent / KNOWN_HOSTS


async def checked(place: Place) -> None:
    found = await check_devices(place.devices, place.known)
    assert all(one.error is None for one in found), next(one.error for one in found if one.error)


async def bare_loop(place: Place) -> None:
    start = ("sh", "-c", BOOTSTRAP, "farm", "serve", "~/.cache/farm", agents.agent_script().sha256, "0")
    hosts = [
        Host(one.name, one.address.host, one.address.port, one.address.user, str(one.address.identity[0]))
        for one in place.devices
    ]
    command, asked = command_line(start), REQUESTS.encode()
    said = await asyncio.gather(*(bare.one(host, str(place.known), command, asked) for host in hosts))
    assert all(b"5 ok" in text for text in said)


async def calls_ms(place: Place, count: int) -> float:
    """Of so many calls on each of all connections."""
    is_ready = asyncio.Barrier(len(place.devices) + 1)

    async with open_transports(place.devices, known_hosts=place.known) as transports:

        async def talk(device: Device) -> None:
            async with agent_of(device, transports, Deadlines()) as agent:
                await is_ready.wait()
                for _ in range(count):
                    await agent.held()
                await is_ready.wait()

        talks = [asyncio.create_task(talk(device)) for device in place.devices]
        await is_ready.wait()
        spent_ms = await used_ms(is_ready.wait)
        await asyncio.gather(*talks)
    return spent_ms


async def controller(inventory: Path, repeat: int, calls: int) -> dict[str, float]:
    """Processor time in ms of a connection of farm's, of the bare loop's, and of a call."""
    place = Place(inventory, read_devices(inventory, ALL_DEVICES)[1])
    count = len(place.devices)
    await checked(place)  # the agent gets there
    mine, bare_ms, call_ms = [], [], []
    for _ in range(repeat):
        mine.append(await used_ms(lambda: checked(place)) / count)
        bare_ms.append(await used_ms(lambda: bare_loop(place)) / count)
        call_ms.append(await calls_ms(place, calls) / count / calls)
    return {"connection": round(min(mine), 3), "bare": round(min(bare_ms), 3), "call": round(min(call_ms), 3)}


async def measured(count: int, words: tuple[str, ...]) -> dict[str, float]:
    """By a process that has nothing to do with the devices."""
    with tempfile.TemporaryDirectory() as name:
        async with fleet({f"d{n}": Properties() for n in range(1, count + 1)}, Path(name)) as running:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.connections", "--inside", str(running.inventory), *words),
                stdout=subprocess.PIPE,
            )
            said, _ = await process.communicate()
    found: dict[str, float] = json.loads(said)
    return found


def told(found: dict[str, float]) -> bool:
    """Print it; whether all is as wanted."""
    print(f"a connection, with all that a check asks: {found['connection']:.2f} ms of processor time")
    print(f"the same by a bare loop of asyncssh: {found['bare']:.2f} ms")
    print(f"a call on an open connection: {found['call']:.3f} ms")
    for name, most_ms in MOST_MS.items():
        print(f"  {'pass' if found[name] <= most_ms else 'FAIL'}  {name}: at most {most_ms:g} ms")
    return all(found[name] <= most_ms for name, most_ms in MOST_MS.items())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=40)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        gc.freeze()  # as farm begins its work
        print(json.dumps(asyncio.run(controller(given.inside, given.repeat, given.calls))))
        return 0
    words = ("--repeat", str(given.repeat), "--calls", str(given.calls))
    found = asyncio.run(measured(given.devices, words))
    at = datetime.now(UTC).isoformat(timespec="seconds")
    raw_records.append(given.out, {"at": at, "load": os.getloadavg()[0], "devices": given.devices, **found})
    return 0 if told(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
