"""The interface of a transport: bytes to and from programs on a device. Only ssh.py names asyncssh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from farm.model.device import Device
from farm.model.limits.deadlines import KEEPALIVE_MISSES, Deadlines


@dataclass(frozen=True)
class Timeouts:
    """Bounds of a transport, in seconds.

    A silent host is considered lost after `keepalive_s * (keepalive_misses + 1)`. Transient failures to
    connect are tried `attempts` times at most, and no new attempt begins later than `retry_total_s` after
    the first. `ConnectTimeout` of ~/.ssh/config overrides `connect_s`.
    """

    ssh_files_s: float = Deadlines.ssh_files_s
    connect_s: float = Deadlines.connect_s
    login_s: float = Deadlines.login_s
    keepalive_s: float = Deadlines.keepalive_s
    keepalive_misses: int = KEEPALIVE_MISSES
    attempts: int = 3
    retry_total_s: float = 60.0
    close_s: float = 2.0

    @classmethod
    def of(cls, deadlines: Deadlines) -> Self:
        """Those that a user may choose."""
        return cls(
            ssh_files_s=deadlines.ssh_files_s,
            connect_s=deadlines.connect_s,
            login_s=deadlines.login_s,
            keepalive_s=deadlines.keepalive_s,
        )


@dataclass(frozen=True)
class Endpoint:
    """Where a connection ends, with names and defaults looked up; `host_key` as in a known_hosts file, its
    type and the key.
    """

    host: str
    port: int
    user: str
    host_key: str


class Channel(Protocol):
    """A running program on the device. Everything is bytes; nothing is interpreted."""

    async def write(self, data: bytes) -> None:
        """Send to stdin, waiting while the other side is slow.

        Raises DeviceError(cause="program-ended") when the program is gone and reads no more.
        """

    async def write_eof(self) -> None:
        """Close stdin."""

    async def readline(self) -> bytes:
        """One line with its newline, from stdout; b"" at its end.

        Raises DeviceError(cause="protocol") for a line of more than 1 MiB.
        """

    async def readexactly(self, count: int) -> bytes:
        """`count` bytes of stdout; raises DeviceError(cause="connection-lost") when there are fewer."""

    async def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes of stdout (-1: all until it ends); b"" at its end."""

    async def wait(self) -> int:
        """Exit status of the program (128 + number for a signal), without waiting for its output to end.

        Raises DeviceError(cause="connection-lost") if the connection broke.
        """

    async def stderr(self) -> bytes:
        """What it wrote to stderr so far (the first 64 KiB); all of it once stdout has ended."""

    async def close(self) -> None:
        """Close the channel; never raises, bounded in time.

        A program that reads its stdin sees the end of it; one that does not may go on running.
        """


class Connection(Protocol):
    """One authenticated connection to one device.

    Every method raises DeviceError with stage `connect`, fault `network` and cause `connection-lost`
    (transient) when the connection breaks.
    """

    @property
    def endpoint(self) -> Endpoint:
        """The device's SSH server, and the key that it showed."""

    async def open(self, argv: tuple[str, ...]) -> Channel:
        """Start a program. `argv` is quoted here and nowhere else, for a POSIX shell."""

    async def close(self) -> None:
        """Close; never raises, bounded in time."""


class Transport(Protocol):
    """How to reach one device; made per run by `farm.transport.ssh.transport_for`."""

    async def connect(self) -> Connection:
        """Connect and authenticate, host key verified.

        Raises DeviceError, stage `connect`, with cause one of: `unreachable`, `name-unknown`,
        `timed-out`, `connection-lost`, `key-refused`, `host-key-unknown`, `host-key-changed`,
        `identity-missing`, `identity-locked` (a passphrase and no agent), `ssh-config` (a mistake in
        ~/.ssh/config), `protocol`, each with a hint. Only unreachable, timed-out, connection-lost and a
        silent name server are transient, and they have been tried again when this is raised.
        """


class Transports(Protocol):
    """All transports of a run; made by `farm.transport.open_transports`."""

    def to(self, device: Device) -> Transport:
        """The transport of one of the devices that were named when this was opened."""
