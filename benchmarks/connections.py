"""What a connection to a device, and a call on one that is open, cost the controller's processor.

    .venv/bin/python -m benchmarks.connections [--devices 40] [--repeat 5] [--calls 50] [--out FILE]

Starts so many simulated devices (a real sshd each) and measures the processor time of this process alone,
which is the controller here: of connecting to all of them at once, with the agent started and all that `farm
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
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import raw_records
from benchmarks.fan_out import REQUESTS, RIVALS
from farm import agents
from farm.device.start import BOOTSTRAP
from farm.model.device import KNOWN_HOSTS
from farm.run.devices.agents import agent_of
from farm.run.devices.check import check_devices
from farm.sim.fleet import Fleet, fleet
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


async def checked(running: Fleet) -> None:
    devices = [device.device() for device in running.devices.values()]
    found = await check_devices(devices, running.inventory.parent / KNOWN_HOSTS)
    assert all(one.error is None for one in found), next(one.error for one in found if one.error)


async def bare_loop(running: Fleet) -> None:
    script = agents.agent_script()
    start = command_line(("sh", "-c", BOOTSTRAP, "farm", "serve", "~/.cache/farm", script.sha256, "0"))
    known = str(running.inventory.parent / KNOWN_HOSTS)
    entries = [(device.name, device.port, device.entry()) for device in running.devices.values()]
    hosts = [
        Host(name, "127.0.0.1", port, str(entry["user"]), str(entry["identity"]))
        for name, port, entry in entries
    ]
    said = await asyncio.gather(*(bare.one(host, known, start, REQUESTS.encode()) for host in hosts))
    assert all(b"5 ok" in text for text in said)


async def calls_ms(running: Fleet, count: int) -> float:
    """Of so many calls on each of all connections."""
    devices = [device.device() for device in running.devices.values()]
    is_ready = asyncio.Barrier(len(devices) + 1)

    async with open_transports(devices, known_hosts=running.inventory.parent / KNOWN_HOSTS) as transports:

        async def talk(number: int) -> None:
            async with agent_of(devices[number], transports) as agent:
                await is_ready.wait()
                for _ in range(count):
                    await agent.held()
                await is_ready.wait()

        talks = [asyncio.create_task(talk(number)) for number in range(len(devices))]
        await is_ready.wait()
        spent_ms = await used_ms(is_ready.wait)
        await asyncio.gather(*talks)
    return spent_ms


async def measured(count: int, repeat: int, calls: int) -> dict[str, float]:
    """Processor time in ms of a connection of farm's, of the bare loop's, and of a call."""
    with tempfile.TemporaryDirectory() as name:
        async with fleet({f"d{n}": Properties() for n in range(1, count + 1)}, Path(name)) as running:
            await checked(running)  # the agent gets there
            mine, bare_ms, call_ms = [], [], []
            for _ in range(repeat):
                mine.append(await used_ms(lambda: checked(running)) / count)
                bare_ms.append(await used_ms(lambda: bare_loop(running)) / count)
                call_ms.append(await calls_ms(running, calls) / count / calls)
    return {"connection": round(min(mine), 3), "bare": round(min(bare_ms), 3), "call": round(min(call_ms), 3)}


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
    given = parser.parse_args()
    found = asyncio.run(measured(given.devices, given.repeat, given.calls))
    at = datetime.now(UTC).isoformat(timespec="seconds")
    raw_records.append(given.out, {"at": at, "load": os.getloadavg()[0], "devices": given.devices, **found})
    return 0 if told(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
