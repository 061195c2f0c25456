"""`farm devices power`: the inventory's commands that switch devices. Never one that somebody else holds."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from farm import agents
from farm.device import former
from farm.device.agent import Agent, Lease
from farm.device.faults import HeldError
from farm.errors import DeviceError, Fault, Stage
from farm.model.device import Device, Power, PowerAction
from farm.model.limits.deadlines import Deadlines
from farm.run.devices.hook import run_hook
from farm.transport.base import Timeouts, Transports
from farm.transport.pool import open_transports

NEEDS_LEASE = frozenset({PowerAction.ON, PowerAction.OFF, PowerAction.CYCLE})
HARMLESS = frozenset({PowerAction.ON, PowerAction.STATUS})
"""What takes nothing from whoever uses a device that cannot be asked."""
RELEASE_S = 5.0
LONGEST_S = 1e8
"""More is no time to live that a device takes."""


@dataclass(frozen=True)
class Switching:
    """What to do. `is_agreed`: also with a device that does not answer, of which nobody knows who uses it.
    `note` is told of what goes on, by device.
    """

    action: PowerAction
    holder: str
    is_agreed: bool
    deadlines: Deadlines
    note: Callable[[str, str], None]


@dataclass(frozen=True)
class Switched:
    """The result for one device: the command (as it was run, or would have been), its exit code (None: it was
    not run, or did not end) and what it printed; or the error.
    """

    device: str
    action: str
    command: tuple[str, ...]
    exit_code: int | None = None
    output: str = ""
    error: str | None = None
    hint: str | None = None


async def switch_devices(
    devices: Sequence[Device], known_hosts: Path, switching: Switching
) -> tuple[Switched, ...]:
    """All at once; the result is in the order of `devices`, which all have a command for the action."""
    once = replace(Timeouts.of(switching.deadlines), attempts=1)
    async with open_transports(devices, known_hosts=known_hosts, timeouts=once) as transports:
        return tuple(await asyncio.gather(*(_switch(device, transports, switching) for device in devices)))


async def _switch(device: Device, transports: Transports, switching: Switching) -> Switched:
    action = switching.action
    words = (device.power or Power()).command(action, device.name, device.address.host)
    try:
        async with _reserved(device, transports, switching):
            switching.note(device.name, f"running its power hook: {action}")
            deadlines = switching.deadlines
            hooked = await run_hook(words, deadlines.power_s, deadlines.ran_out("power"))
    except DeviceError as error:
        return Switched(device.name, action, words, error=error.message, hint=error.hint)
    if hooked.failure is None:
        return Switched(device.name, action, words, hooked.exit_code, hooked.output)
    hint = f"correct power.{action} of {device.name} in the inventory"
    if hooked.is_late:
        hint = f"{hint}; if it is only slow: {deadlines.more('power')}"
    failure = f"its power hook failed: {hooked.failure}"
    return Switched(device.name, action, words, hooked.exit_code, hooked.output, failure, hint)


@contextlib.asynccontextmanager
async def _reserved(device: Device, transports: Transports, switching: Switching) -> AsyncIterator[None]:
    """Hold the lease of the device meanwhile, where it can be asked for one. Raises DeviceError where another
    holds it, and where it cannot be asked and nobody has agreed to that.
    """
    async with contextlib.AsyncExitStack() as stack:
        if switching.action in NEEDS_LEASE:
            try:
                async with asyncio.timeout(switching.deadlines.check_s):
                    await stack.enter_async_context(_leased(device, transports, switching))
            except HeldError as error:
                error.hint = f"choose another time; farm devices release {device.name}    shows who holds it"
                raise
            except DeviceError as error:
                _require_agreed(device, error.message, switching)
            except TimeoutError:
                _require_agreed(device, f"no answer {switching.deadlines.ran_out('check')}", switching)
        yield


@contextlib.asynccontextmanager
async def _leased(device: Device, transports: Transports, switching: Switching) -> AsyncIterator[None]:
    """At the end the device may be off: then its lease ended with it."""
    script = agents.agent_script()
    connection = await transports.to(device).connect()
    try:
        agent = await Agent.start(connection, device.workdir, script, switching.deadlines)
        lease = await _lease(agent, switching)
        try:
            yield
        finally:
            with contextlib.suppress(DeviceError, TimeoutError):
                async with asyncio.timeout(RELEASE_S):
                    await agent.release(lease.epoch)
                    await agent.bye()
    finally:
        await connection.close()


async def _lease(agent: Agent, switching: Switching) -> Lease:
    """One of a run of this user that was killed is taken over. Raises HeldError."""
    await asyncio.to_thread(former.hold, switching.holder)
    ttl_s = math.ceil(min(switching.deadlines.power_s, LONGEST_S)) + math.ceil(RELEASE_S)
    try:
        return await agent.lease(switching.holder, ttl_s)
    except HeldError as error:
        if not await asyncio.to_thread(former.is_gone, error.holder):
            raise
        return await agent.lease(switching.holder, ttl_s, error.epoch)


def _require_agreed(device: Device, why: str, switching: Switching) -> None:
    """Raises DeviceError."""
    if switching.action in HARMLESS or switching.is_agreed:
        switching.note(device.name, f"nobody can be asked whether it is in use: {why}")
        return
    raise DeviceError(
        f"nobody can be asked whether it is in use: {why}",
        stage=Stage.LEASE,
        fault=Fault.DEVICE,
        cause="not-asked",
        hint="if you know that nobody uses it: the same command with --yes",
    )
