"""`farm devices check`: can each device be used, who holds it, what is wrong with it? Takes no lease."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from farm.device import former
from farm.device.agent import Agent
from farm.device.probe import pythons_to_ask
from farm.device.settings.pins import Refusal, Setting, wanted
from farm.errors import DeviceError, Stage
from farm.model.device import Device, Facts
from farm.model.limits.deadlines import Deadlines
from farm.plan.programs import read_build
from farm.run.devices.agents import agent_of
from farm.run.devices.machines import Machine, machine_of
from farm.run.health.nouns import Finding, Look, Severity, Slower, Trouble
from farm.run.health.rules import findings_of
from farm.run.health.troubles import TOO_LONG
from farm.run.programs.platform import device_python, require_wheel_platform
from farm.store.notes.quarantine import quarantine_of
from farm.transport.base import Timeouts, Transports
from farm.transport.pool import open_transports, places_for

MOST_ASKED = 8
"""Settings in one question to an agent."""


@dataclass(frozen=True)
class Beside:
    """What is known of devices on this machine: the folder of the runs (None: no quarantine is looked at),
    those that are slower than they were, whether there is a builds file.
    """

    runs_dir: Path | None = None
    slower: Mapping[str, Slower] = field(default_factory=dict)
    has_builds: bool = False
    deadlines: Deadlines = Deadlines()


@dataclass(frozen=True)
class Checked:
    """The result for one device: facts and holder of the lease, or stage and error; and what was found.
    `warnings` are the findings of that severity, in a sentence each. `clock_off_s` as of `Look`.
    """

    device: str
    facts: Facts | None = None
    holder: str | None = None
    warnings: tuple[str, ...] = ()
    stage: str | None = None
    error: str | None = None
    hint: str | None = None
    clock_off_s: float | None = None
    findings: tuple[Finding, ...] = ()


async def check_devices(
    devices: Sequence[Device], known_hosts: Path, beside: Beside | None = None
) -> tuple[Checked, ...]:
    """Check all at once; the result is in the order of `devices`."""
    beside = beside or Beside()
    timeouts = Timeouts.of(beside.deadlines)
    async with open_transports(devices, known_hosts=known_hosts, timeouts=timeouts) as transports:
        return await check_through(transports, devices, beside)


async def check_through(
    transports: Transports, devices: Sequence[Device], beside: Beside
) -> tuple[Checked, ...]:
    """The same through transports that are open."""
    places = asyncio.Semaphore(places_for(len(devices)))

    async def look(device: Device) -> Look:
        async with places:
            return await look_at(device, transports, beside)

    looks = await asyncio.gather(*map(look, devices))
    return tuple(map(checked_of, with_twins(looks)))


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


def checked_of(look: Look) -> Checked:
    """For people and scripts."""
    findings = findings_of(look)
    trouble = look.trouble
    return Checked(
        look.device.name,
        look.facts,
        look.held.holder if look.held else None,
        tuple(f"{one.text}; {one.todo}" for one in findings if one.severity is Severity.WARNING),
        stage=trouble.stage if trouble else None,
        error=trouble.message if trouble else None,
        hint=trouble.hint if trouble else None,
        clock_off_s=look.clock_off_s,
        findings=findings,
    )


def with_twins(looks: Iterable[Look]) -> tuple[Look, ...]:
    """Each with the others that are the same machine now."""
    found = [(look, machine_of(look.facts) if look.facts else None) for look in looks]
    names: defaultdict[Machine | None, list[str]] = defaultdict(list)
    for look, machine in found:
        names[machine].append(look.device.name)
    names[None] = []  # what is not known is no twin
    return tuple(
        replace(look, twins=tuple(name for name in names[machine] if name != look.device.name))
        for look, machine in found
    )


async def look_at(device: Device, transports: Transports, beside: Beside) -> Look:
    """All questions to one device, within the deadline `check`. Never raises for what a device is or does."""
    seen = Look(device, has_builds=beside.has_builds, slower=beside.slower.get(device.name))
    try:
        async with asyncio.timeout(beside.deadlines.check_s):
            seen = await asyncio.to_thread(_with_files, seen, beside.runs_dir)
            return await _asked(seen, transports, beside.deadlines)
    except DeviceError as error:
        trouble = Trouble(error.cause, error.stage.value, error.message, error.hint)
    except TimeoutError:
        limit = beside.deadlines
        message = f"it did not answer all questions {limit.ran_out('check')}"
        hint = f"look at the device; if it is only slow: {limit.more('check')}"
        trouble = Trouble(TOO_LONG, Stage.CONNECT.value, message, hint)
    return replace(seen, trouble=trouble)


def _with_files(look: Look, runs_dir: Path | None) -> Look:
    """With what files of this machine say of it."""
    quarantine = quarantine_of(runs_dir, look.device.name) if runs_dir is not None else None
    return replace(look, files=read_build(look.device.runtime), quarantine=quarantine)


async def _asked(look: Look, transports: Transports, deadlines: Deadlines) -> Look:
    device = look.device
    async with agent_of(device, transports, deadlines) as agent:
        # Asked together, answered one after the other: the clock first, before anything takes time.
        off_s, facts, held, left = await asyncio.gather(
            _clock_off_s(agent),
            agent.probe(pythons_to_ask(device.runtime)),
            agent.held(),
            agent.unrestored(),
        )
        forbidden = await _forbidden(agent, device, facts)
    is_gone = held is not None and await asyncio.to_thread(former.is_gone, held.holder)
    return replace(
        look,
        facts=facts,
        held=held,
        is_holder_gone=is_gone,
        left=left,
        clock_off_s=off_s,
        forbidden=forbidden,
    )


async def _clock_off_s(agent: Agent) -> float | None:
    before_s = time.time()
    told_s = await agent.date_s()
    return None if told_s is None else clock_off_s(told_s, before_s, time.time())


def clock_off_s(told_s: int, before_s: float, after_s: float) -> float:
    """How far a clock that showed `told_s`, somewhere in that second and between these two times, is at least
    from ours; 0: it may be right. Less than 0: it is behind.
    """
    if told_s > after_s:
        return told_s - after_s
    return min(told_s + 1 - before_s, 0.0)


async def _forbidden(agent: Agent, device: Device, facts: Facts) -> tuple[Refusal, ...]:
    """Which settings of its pin the user of a device may not change: one core stands for all."""
    if device.pin is None:
        return ()
    settings: Sequence[Setting] = wanted(device.pin, device, facts).settings
    paths = {one.path.rpartition("/")[2]: one.path for one in reversed(settings)}
    asked = [*paths.values()][:MOST_ASKED]
    return await agent.forbidden(device.pin.how, asked) if asked else ()
