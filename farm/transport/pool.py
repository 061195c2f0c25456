"""All transports of one run, how many may be open at once, and the embedded server where the run needs it."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from farm.errors import DeviceError
from farm.model.device import Device
from farm.tasks import ended
from farm.transport.base import Connection, Timeouts, Transport
from farm.transport.embedded import EmbeddedServer
from farm.transport.ssh import transport_for

FILES_PER_DEVICE = 4
"""A connection, one more where the server limits sessions, and what is read or written meanwhile."""

FILES_OF_FARM = 100


class Pool:
    """See `farm.transport.base.Transports`."""

    def __init__(self, transports: dict[str, Transport]) -> None:
        self._transports = transports

    def to(self, device: Device) -> Transport:
        return self._transports[device.name]

    def connect_ahead(self) -> None:
        """Begin to connect to so many devices as may be connected at once: see `_Begun`."""
        for name in [*self._transports][: places_for(len(self._transports))]:
            self._transports[name] = _Begun(self._transports[name])

    async def close(self) -> None:
        """End what was begun for nobody."""
        begun = [one for one in self._transports.values() if isinstance(one, _Begun)]
        await asyncio.gather(*(one.end() for one in begun), return_exceptions=True)


class _Begun:
    """A transport whose first connection is under way before it is asked for."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._first: asyncio.Task[Connection] | None = asyncio.create_task(transport.connect())

    async def connect(self) -> Connection:
        first = self._first
        if first is None:
            return await self._transport.connect()
        try:
            connection = await first
        except asyncio.CancelledError:
            await self.end()
            raise
        finally:
            self._first = None
        return connection

    async def end(self) -> None:
        if (first := self._first) is None:
            return
        await ended(first, DeviceError)
        if not first.cancelled() and first.exception() is None:
            await first.result().close()


@asynccontextmanager
async def open_transports(
    devices: Sequence[Device],
    *,
    known_hosts: Path,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
) -> AsyncIterator[Pool]:
    """Transports to `devices`; nothing is connected yet. Serves `local` while it is open."""
    async with contextlib.AsyncExitStack() as stack:
        embedded = None
        if any(device.is_local for device in devices):
            embedded = await stack.enter_async_context(EmbeddedServer())
        pool = _pool(devices, known_hosts, timeouts, embedded)
        stack.push_async_callback(pool.close)
        yield pool


def _pool(
    devices: Sequence[Device], known_hosts: Path, timeouts: Timeouts, embedded: EmbeddedServer | None
) -> Pool:
    return Pool({
        device.name: transport_for(device, known_hosts=known_hosts, embedded=embedded, timeouts=timeouts)
        for device in devices
    })  # fmt: skip


def places_for(devices: int) -> int:
    """How many of so many devices can be used at once, at least one. The soft limit of open files is raised
    as far as they need it and the hard one allows.
    """
    wanted = FILES_OF_FARM + FILES_PER_DEVICE * devices
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return max(devices, 1)
    return max((soft - FILES_OF_FARM) // FILES_PER_DEVICE, 1)
