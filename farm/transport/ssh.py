"""How farm reaches a device: SSH through asyncssh, always with a verified host key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from farm.errors import DeviceError, Fault
from farm.model.device import Device
from farm.transport.base import Endpoint, Timeouts
from farm.transport.channel import SshChannel, command_line
from farm.transport.embedded import EmbeddedServer
from farm.transport.faults import LOST, failure, lost
from farm.transport.link import Link, open_link, retrying
from farm.transport.route import Hop, route

# A server with MaxSessions 1 costs one connection per program; more than this is a leak in farm.
_MAX_LINKS = 8


def transport_for(
    device: Device,
    *,
    known_hosts: Path,
    embedded: EmbeddedServer | None = None,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
) -> SshTransport:
    """How to reach `device`. `known_hosts` is the inventory's file of pinned keys; it need not exist.

    `embedded` is the running server behind device `local`; other devices do not need it.
    """
    return SshTransport(device, known_hosts=known_hosts, embedded=embedded, timeouts=timeouts)


class SshTransport:
    """See `farm.transport.base.Transport`."""

    def __init__(
        self, device: Device, *, known_hosts: Path, embedded: EmbeddedServer | None, timeouts: Timeouts
    ) -> None:
        self._device = device
        self._known_hosts = known_hosts
        self._embedded = embedded
        self._timeouts = timeouts

    async def connect(self) -> SshConnection:
        """See `farm.transport.base.Transport.connect`; retries transient failures, with jitter."""
        hops = await self._route()

        async def link() -> Link:
            return await self._link(hops)

        return SshConnection(hops[-1], await link(), link)

    async def _link(self, hops: tuple[Hop, ...]) -> Link:
        """One that was lost in its login tells more than that nobody listens a second later."""
        lost_by: list[DeviceError] = []

        async def once() -> Link:
            try:
                return await open_link(hops, self._known_hosts, self._timeouts)
            except DeviceError as error:
                if error.cause == LOST:
                    lost_by.append(error)
                raise

        try:
            return await retrying(self._timeouts)(once)
        except DeviceError as error:
            if error.transient and lost_by:
                raise lost_by[0] from error
            raise

    async def _route(self) -> tuple[Hop, ...]:
        if not self._device.is_local:
            return await route(self._device, self._timeouts.ssh_files_s)
        if self._embedded is None:
            raise ValueError("device `local` needs the embedded server")
        return (self._embedded.hop(self._device.name),)


class SshConnection:
    """See `farm.transport.base.Connection`. Has more than one link where the server limits sessions."""

    def __init__(self, hop: Hop, first: Link, another: Callable[[], Awaitable[Link]]) -> None:
        self._peer = hop.peer
        self._links = [first]  # none once closed
        self._lost: list[Link] = []
        self._another = another
        where = hop.options
        self.endpoint = Endpoint(where["host"], where["port"], where["username"], first.host_key)

    async def open(self, argv: tuple[str, ...]) -> SshChannel:
        """See `farm.transport.base.Connection.open`. Raises ValueError for an invalid command."""
        command = command_line(argv)
        if not self._links:
            raise lost(self._peer)
        first, *others = self._links
        self._lost += (link for link in others if link.is_lost)
        self._links = [first, *(link for link in others if not link.is_lost)]
        for link in self._links:
            channel = await link.open(command)
            if channel is not None:
                return channel
        if len(self._links) == _MAX_LINKS:
            raise failure(
                self._peer, "protocol", Fault.DEVICE, "{title} does not allow more programs at a time"
            )
        link = await self._another()
        if not self._links:
            await link.close()
            raise lost(self._peer)
        self._links.append(link)
        channel = await link.open(command)
        if channel is None:
            raise failure(self._peer, "protocol", Fault.DEVICE, "{title} refuses to run programs")
        return channel

    async def close(self) -> None:
        """See `farm.transport.base.Connection.close`."""
        links, self._links = [*self._links, *self._lost], []
        for link in links:
            await link.close()
