"""All transports of one run, how many may be open at once, and the embedded server where the run needs it."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from farm.model.device import Device
from farm.transport.base import Timeouts, Transport
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


@asynccontextmanager
async def open_transports(
    devices: Sequence[Device],
    *,
    known_hosts: Path,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
) -> AsyncIterator[Pool]:
    """Transports to `devices`; nothing is connected yet. Serves `local` while it is open."""
    if any(device.is_local for device in devices):
        async with EmbeddedServer() as embedded:
            yield _pool(devices, known_hosts, timeouts, embedded)
    else:
        yield _pool(devices, known_hosts, timeouts, None)


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
