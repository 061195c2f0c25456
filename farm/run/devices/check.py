"""`farm devices check`: can each device be used, and who holds it? Takes no lease."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from farm.device.probe import pythons_to_ask
from farm.errors import DeviceError
from farm.model.device import Device, Facts
from farm.model.limits.disk import Portion
from farm.provision.packages import WANTED
from farm.provision.tasks import task_that_mends
from farm.run.devices.agents import agent_of
from farm.run.devices.rights import may_pin
from farm.run.programs.program import device_python, require_wheel_platform
from farm.transport.base import Timeouts, Transports
from farm.transport.pool import open_transports

LOW = Portion(10, 1_000_000_000)


@dataclass(frozen=True)
class Checked:
    """The result for one device: facts, holder of the lease and warnings, or stage and error. `tasks` are
    those of `farm devices provision` that mend what was found.
    """

    device: str
    facts: Facts | None = None
    holder: str | None = None
    warnings: tuple[str, ...] = ()
    stage: str | None = None
    error: str | None = None
    hint: str | None = None
    tasks: tuple[str, ...] = ()


async def check_devices(
    devices: Sequence[Device],
    known_hosts: Path,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
) -> tuple[Checked, ...]:
    """Check all at once; the result is in the order of `devices`."""
    async with open_transports(devices, known_hosts=known_hosts, timeouts=timeouts) as transports:
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
    try:
        async with agent_of(device, transports) as agent:
            facts = await agent.probe(pythons_to_ask(device.runtime))
            holder = await agent.holder()
            left = await agent.unrestored()
        can_pin = await may_pin(device, transports)
    except DeviceError as error:
        tasks = _tasks([error.cause])
        return Checked(
            device.name, stage=error.stage.value, error=error.message, hint=error.hint, tasks=tasks
        )
    full, lacks = _warnings(device, facts), _lacks(facts)
    rights = () if can_pin else ("it may not set the governor and frequencies that the inventory pins",)
    findings = {"disk-nearly-full": full, "missing-tool": lacks, "no-right-to-pin": rights}
    return Checked(
        device.name,
        facts,
        holder,
        (*full, *lacks, *rights, *(one.text for one in left), *_lying(facts)),
        tasks=_tasks([name for name, texts in findings.items() if texts]),
    )


def _tasks(findings: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(task for one in findings if (task := task_that_mends(one)) is not None))


def _lacks(facts: Facts) -> tuple[str, ...]:
    """Where the probe has asked for tools at all: it names those that it found."""
    missing = [tool for tool in WANTED if tool not in facts.tools] if facts.tools else []
    return (f"it lacks {', '.join(missing)}",) if missing else ()


def _lying(facts: Facts) -> tuple[str, ...]:
    return (f"unreadable: {', '.join(facts.unreadable)}",) if facts.unreadable else ()


def _warnings(device: Device, facts: Facts) -> tuple[str, ...]:
    """A disk is nearly full where less than the device's reserve, or than a tenth and 1 GB, is free."""
    from humanize import naturalsize

    disk_bytes, free_bytes = facts.disk_bytes, facts.disk_free_bytes
    low_bytes = max(LOW.of(disk_bytes) or 0, device.store.reserve.of(disk_bytes) or 0)
    if disk_bytes is None or free_bytes is None or free_bytes >= low_bytes:
        return ()
    left = f"{naturalsize(free_bytes)} of {naturalsize(disk_bytes)}"
    seen = f"farm devices clean {device.name} shows what farm keeps there"
    return (f"the disk of {device.workdir} is nearly full, {left} left; {seen}",)
