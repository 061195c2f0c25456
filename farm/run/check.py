"""`farm devices check`: can each device be used, and who holds it? Takes no lease."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from farm import agents
from farm.device.agent import Agent
from farm.device.probe import pythons_to_ask
from farm.errors import DeviceError
from farm.model.device import Device, Facts
from farm.run.deploy import device_python, require_wheel_platform
from farm.transport.base import Transports
from farm.transport.pool import open_transports


@dataclass(frozen=True)
class Checked:
    """The result for one device: facts and the lease's holder, or stage and error of the failure."""

    device: str
    facts: Facts | None = None
    holder: str | None = None
    stage: str | None = None
    error: str | None = None
    hint: str | None = None


async def check_devices(devices: Sequence[Device], known_hosts: Path) -> tuple[Checked, ...]:
    """Check all at once; the result is in the order of `devices`."""
    async with open_transports(devices, known_hosts=known_hosts) as transports:
        return tuple(await asyncio.gather(*(_check(device, transports) for device in devices)))


async def is_wheel_of_use(devices: Sequence[Device], known_hosts: Path) -> bool:
    """Whether one of the devices can run the wheel runtime, or one does not say what it is."""
    checked = await check_devices(devices, known_hosts)
    return any(
        one.facts is None or _takes_wheel(device, one.facts)
        for device, one in zip(devices, checked, strict=True)
    )


def _takes_wheel(device: Device, facts: Facts) -> bool:
    try:
        require_wheel_platform(device, facts)
        device_python(device, facts)
    except DeviceError:
        return False
    return True


async def _check(device: Device, transports: Transports) -> Checked:
    script = agents.agent_script()
    try:
        connection = await transports.to(device).connect()
        try:
            agent = await Agent.start(connection, device.workdir, script.path.read_bytes(), script.sha256)
            facts = await agent.probe(pythons_to_ask(device.runtime))
            holder = await agent.holder()
            await agent.bye()
        finally:
            await connection.close()
    except DeviceError as error:
        return Checked(device.name, stage=error.stage.value, error=error.message, hint=error.hint)
    return Checked(device.name, facts, holder)
