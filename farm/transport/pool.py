"""All transports of one run, and the embedded server where the run needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from farm.model.device import Device
from farm.transport.base import Timeouts, Transport
from farm.transport.embedded import EmbeddedServer
from farm.transport.ssh import transport_for


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
