"""The relays of a run: each gets a file once, over the slow line, and hands it on to devices behind it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from farm import agents
from farm.device.agent import Agent
from farm.device.faults import DISK_FULL, late
from farm.device.push.relay import by_hand, known_host, ssh_command
from farm.device.session import LINE_IS_GONE
from farm.errors import DeviceError
from farm.model.artifact import Artifact
from farm.model.device import Device, Relay
from farm.model.limits.deadlines import Deadlines
from farm.transport.base import Connection, Timeouts
from farm.transport.ssh import transport_for

MOST_AT_ONCE = 8
"""Files that a relay hands on: each is an SSH client there."""

ITS_OWN = LINE_IS_GONE | {"digest-mismatch"}
"""Errors after which a relay is asked no more by anyone: it is lost, or what it keeps is damaged."""

LOOK_S = 2.0
"""How often the device is asked how much has come."""

Push = Callable[[Device, Agent, Sequence[Artifact]], Awaitable[None]]


class RelayError(Exception):
    """A relay cannot be used, or not for this device: its files come from the controller then."""


class Relays:
    """Those of the devices of one run; nothing is connected before it is needed. Leaving it ends the
    connections.
    """

    def __init__(self, devices: Iterable[Device], known_hosts: Path, deadlines: Deadlines) -> None:
        named = {one.relay.device.name: one.relay.device for one in devices if one.relay}
        self._relays = {name: OneRelay(one, known_hosts, deadlines) for name, one in named.items()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(one.close() for one in self._relays.values()))

    def to(self, device: Device) -> OneRelay | None:
        """The same for all devices that name it; None where this one names none, or is none of the run."""
        return self._relays.get(device.relay.device.name) if device.relay else None

    @contextlib.asynccontextmanager
    async def turn(self, device: Device) -> AsyncIterator[None]:
        """What is sent to a device that is a relay of this run, too, comes one after the other."""
        relay = self._relays.get(device.name)
        async with relay.sending if relay else contextlib.nullcontext():
            yield


class OneRelay:
    """A relay, for all devices behind it. It takes no lease: nothing is measured there by this."""

    def __init__(self, device: Device, known_hosts: Path, deadlines: Deadlines) -> None:
        self.device = device
        self.sending = asyncio.Lock()
        self._known_hosts = known_hosts
        self._deadlines = deadlines
        self._opening = asyncio.Lock()
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._connection: Connection | None = None
        self._agent: Agent | None = None
        self._why: str | None = None
        """Why it is asked no more."""

    async def take(self, artifacts: Sequence[Artifact], push: Push) -> None:
        """Files that it will hand on are there afterwards: `push` sends it those that are missing. Raises
        RelayError.
        """
        agent = await self._reached()
        try:
            await push(self.device, agent, artifacts)
        except DeviceError as error:
            raise self._failed(error) from error

    async def hand(
        self, relay: Relay, to: Agent, group: Sequence[Artifact], moved: Callable[[int], None]
    ) -> None:
        """Send one file, or small ones together, on to the device of the agent `to`. Raises RelayError, and
        DeviceError where that device cannot keep it (`disk-full`) or is lost.
        """
        agent = await self._reached()
        whole = ("receive", group[0].sha256, "0", str(group[0].size_bytes))
        words = ("unpack", str(len(group))) if len(group) > 1 else whole
        endpoint = to.uploads.endpoint
        command = ssh_command(relay, endpoint, to.uploads.argv(words))
        digests = [one.sha256 for one in group]
        async with self._places:
            handing = asyncio.create_task(agent.uploads.hand(known_host(endpoint), command, digests))
            try:
                await self._watched(handing, to, group, moved)
            finally:
                await _ended(handing)
        error = handing.exception()
        if not isinstance(error, DeviceError):
            return handing.result()
        if error.cause == DISK_FULL:
            raise error
        if error.cause in ITS_OWN:
            raise self._failed(error) from error
        why = f"{_short(error)}; try there: {by_hand(relay, endpoint)}"
        raise RelayError(f"{self.device.name} could not hand it on: {why}") from error

    async def _watched(
        self, handing: asyncio.Task[None], to: Agent, group: Sequence[Artifact], moved: Callable[[int], None]
    ) -> None:
        """Until it is there. Raises RelayError where nothing moves any more: the device tells what came."""
        loop, limits = asyncio.get_running_loop(), self._deadlines
        before, since, sizes = -1, loop.time(), {one.sha256: one.size_bytes for one in group}
        while not (await asyncio.wait({handing}, timeout=LOOK_S))[0]:
            missing = {one.sha256: one.present_bytes for one in await to.have(list(sizes))}
            there = sum(missing.get(sha256, size) for sha256, size in sizes.items())
            if there != before:
                before, since = there, loop.time()
                moved(there)
            # All is there, and is hashed and written; or an archive, which shows only when it is whole.
            limit, limit_s = "transfer-stall", limits.transfer_stall_s
            if there >= sum(sizes.values()) or len(group) > 1:
                limit, limit_s = "work", limits.work_s
            if loop.time() - since > limit_s:
                raise RelayError(late(f"{self.device.name} does not hand it on", limits, limit).message)

    async def _reached(self) -> Agent:
        async with self._opening:
            if self._why is not None:
                raise RelayError(self._why)
            if self._agent is None:
                try:
                    await self._connect()
                except DeviceError as error:
                    raise self._failed(error) from error
            assert self._agent is not None
            return self._agent

    async def _connect(self) -> None:
        transport = transport_for(
            self.device, known_hosts=self._known_hosts, timeouts=Timeouts.of(self._deadlines)
        )
        script = await asyncio.to_thread(agents.agent_script)
        self._connection = await transport.connect()
        try:
            self._agent = await Agent.start(self._connection, self.device.workdir, script, self._deadlines)
        except BaseException:
            await self.close()
            raise

    def _failed(self, error: DeviceError) -> RelayError:
        self._why = f"the relay {self.device.name} cannot be used: {error.message}"
        return RelayError(self._why)

    async def close(self) -> None:
        """Never raises."""
        connection, self._connection, self._agent = self._connection, None, None
        if connection is not None:
            await connection.close()


def _short(error: DeviceError) -> str:
    """Of what an SSH client says the last line has the reason."""
    first, *others = error.message.splitlines() or [""]
    return f"{first.partition(': ')[0]}: {others[-1]}" if others else first


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # it was raised, or no longer counts
