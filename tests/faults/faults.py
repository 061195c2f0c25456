"""What is done to a run at a random moment: one row each."""

from __future__ import annotations

import asyncio
import random
import signal
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from farm.sim import places, processes
from farm.sim.device import SimulatedDevice

LEASE_S = 5.0
"""How long the lease of a run lives under the campaign's deadlines."""
BEYOND_S = LEASE_S + 2.0
AGENT_STOP_S = 3.0
"""Beyond the deadline `reply`, which is a second."""
OFF_S = 2.0


@dataclass(frozen=True)
class Victim:
    """What there is to strike: the controller's process, and the devices."""

    controller: asyncio.subprocess.Process
    devices: list[SimulatedDevice]
    chance: random.Random

    def device(self) -> SimulatedDevice:
        return self.chance.choice(self.devices)


async def kill_controller(victim: Victim) -> None:
    victim.controller.kill()


async def stop_controller(victim: Victim) -> None:
    victim.controller.send_signal(signal.SIGSTOP)
    await asyncio.sleep(BEYOND_S)
    victim.controller.send_signal(signal.SIGCONT)


async def cut_connection(victim: Victim) -> None:
    await _send(processes.servers, victim.device(), signal.SIGKILL)


async def kill_agents(victim: Victim) -> None:
    await _send(processes.agents, victim.device(), signal.SIGKILL)


async def stop_agents(victim: Victim) -> None:
    device = victim.device()
    pids = await asyncio.to_thread(processes.agents, device.home)
    processes.send(pids, signal.SIGSTOP)
    await asyncio.sleep(AGENT_STOP_S)
    processes.send(pids, signal.SIGCONT)


async def restart_server(victim: Victim) -> None:
    device = victim.device()
    places.switch_off(device.home, OFF_S)
    await _send(processes.servers, device, signal.SIGKILL)


async def reboot(victim: Victim) -> None:
    device = victim.device()
    places.boot_file(device.home).write_text(f"{uuid.uuid4()}\n")
    places.switch_off(device.home, OFF_S)
    await _send(processes.servers, device, signal.SIGKILL)
    await _send(lambda home: list(processes.ours(home)), device, signal.SIGKILL)


async def _send(who: Callable[..., list[int]], device: SimulatedDevice, number: signal.Signals) -> None:
    processes.send(await asyncio.to_thread(who, device.home), number)


@dataclass(frozen=True)
class Kind:
    """A fault: how often it is wanted in all, and whether it ends rounds that run, which are run again then."""

    name: str
    strike: Callable[[Victim], Awaitable[None]]
    wanted: int
    ends_rounds: bool = False


KINDS = (
    Kind("controller-kill", kill_controller, 200),
    Kind("connection-cut", cut_connection, 200),
    Kind("agent-kill", kill_agents, 50),
    Kind("agent-stop", stop_agents, 25),
    Kind("controller-stop", stop_controller, 25, ends_rounds=True),
    Kind("server-restart", restart_server, 20),
    Kind("reboot", reboot, 10, ends_rounds=True),
)
