"""`farm devices release`: who holds each device, and the end of that on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from farm.device.agent import Held
from farm.device.former import own_name
from farm.errors import DeviceError
from farm.model.device import Device
from farm.model.limits.deadlines import Deadlines
from farm.run.devices.agents import agent_of
from farm.transport.base import Timeouts, Transports
from farm.transport.pool import open_transports


@dataclass(frozen=True)
class Released:
    """The result for one device: the lease that it had (None: it was free), and whether that was broken; or
    stage and error of the failure.
    """

    device: str
    held: Held | None = None
    is_broken: bool = False
    stage: str | None = None
    error: str | None = None
    hint: str | None = None


async def release_devices(
    devices: Sequence[Device], known_hosts: Path, deadlines: Deadlines, *, breaks: bool
) -> tuple[Released, ...]:
    """All at once; the result is in the order of `devices`. Only what is held now is ended: a lease that
    somebody takes meanwhile stays.
    """
    timeouts = Timeouts.of(deadlines)
    async with open_transports(devices, known_hosts=known_hosts, timeouts=timeouts) as transports:
        work = (_release(device, transports, deadlines, breaks=breaks) for device in devices)
        return tuple(await asyncio.gather(*work))


async def release_one(device: Device, known_hosts: Path, deadlines: Deadlines, epoch: int | None) -> Released:
    """The lease of one device; where it is that of `epoch`, it is broken, and no other ever is."""
    timeouts = Timeouts.of(deadlines)
    async with open_transports([device], known_hosts=known_hosts, timeouts=timeouts) as transports:
        return await _release(device, transports, deadlines, breaks=epoch is not None, only=epoch)


async def _release(
    device: Device, transports: Transports, deadlines: Deadlines, *, breaks: bool, only: int | None = None
) -> Released:
    held: Held | None = None
    try:
        async with agent_of(device, transports, deadlines) as agent:
            held = await agent.held()
            if held is None or not breaks or only not in (None, held.epoch):
                return Released(device.name, held)
            await agent.break_lease(held.epoch, own_name("farm devices release"))
    except DeviceError as error:
        return Released(device.name, held, stage=error.stage.value, error=error.message, hint=error.hint)
    return Released(device.name, held, is_broken=True)
