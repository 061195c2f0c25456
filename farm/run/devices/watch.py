"""`farm devices check --watch`: each device is looked at again and again, and none waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from farm.model.device import Device
from farm.run.devices.check import Beside, Checked, checked_of, look_at, with_twins
from farm.run.health.nouns import Look
from farm.transport.base import Timeouts
from farm.transport.pool import open_transports

ONCE = Timeouts(attempts=1)
"""The next look is the next try."""


async def watch_devices(
    devices: Sequence[Device],
    known_hosts: Path,
    beside: Beside,
    every_s: float,
    seen: Callable[[Checked], Awaitable[None]],
) -> None:
    """Tell each look, until this is cancelled. From the end of a look to the next one of the same device
    `every_s` pass.
    """
    looks: dict[str, Look] = {}

    async def follow(device: Device) -> None:
        while True:
            looks[device.name] = await look_at(device, transports, beside)
            known = with_twins(looks.values())
            await seen(next(checked_of(one) for one in known if one.device.name == device.name))
            await asyncio.sleep(every_s)

    async with (
        open_transports(devices, known_hosts=known_hosts, timeouts=ONCE) as transports,
        asyncio.TaskGroup() as group,
    ):
        for device in devices:
            group.create_task(follow(device), name=f"watching {device.name}")
