"""One connection to a device: through its jump hosts, host keys verified, closed with all of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

import tenacity

from farm.errors import DeviceError, Fault, RequestError
from farm.transport.base import Timeouts
from farm.transport.channel import ClientSession, SshChannel
from farm.transport.faults import LOST, TRANSLATED, Peer, failure, lost, translate
from farm.transport.known_hosts import KEY_KINDS, Trust, describe, trust
from farm.transport.library import asyncssh
from farm.transport.reading import in_time, in_turn
from farm.transport.route import Hop

_LOGINS_PER_JUMP_HOST = 8
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0
_IGNORE = 2  # SSH_MSG_IGNORE of RFC 4253
_AUTHENTICATED = ("-gcm@openssh.com", "-poly1305@openssh.com")
# Of a hop's options, those that asking for a host key needs.
_WHERE = ("config", "host", "port", "family", "local_addr", "kex_algs", "proxy_command")
# dropbear closes an open channel that has no command yet when the program of another one ends.
_START_ATTEMPTS = 3


class _DroppedError(Exception):
    """A jump host closed the connection in the login."""

    def __init__(self, error: DeviceError) -> None:
        super().__init__(error.message)
        self.error = error


class _Gate:
    """Limits how many log in through a jump host at a time: sshd's MaxStartups drops them at random above 10,
    or whatever its owner has set, and a jump host gets those of all devices. It narrows where some were
    dropped.
    """

    def __init__(self) -> None:
        self._width = _LOGINS_PER_JUMP_HOST
        self._inside = 0
        self._left = asyncio.Event()

    async def enter(self) -> int:
        """Wait for room; how wide it is then."""
        while self._inside >= self._width:
            self._left.clear()
            await self._left.wait()
        self._inside += 1
        return self._width

    def leave(self) -> None:
        self._inside -= 1
        self._left.set()

    def narrow(self, width: int) -> bool:
        """One that came in when it was so wide was dropped; whether that may be because there were others.
        Those of one crowd narrow it once.
        """
        if self._width < width:
            return True
        if self._inside < 2:
            return False
        self._width = self._inside // 2
        return True


_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Gate]] = WeakKeyDictionary()


def _without_ignored(connection: asyncssh.SSHClientConnection) -> None:
    """Asyncssh sends an empty packet before each one, to be ignored: that protects ciphers of the CBC mode
    (RFC 4251, 9.3.1). Authenticated ones do not need it, and it doubles the packets of a controller.
    """
    send = connection.send_packet

    def sparingly(kind: int, *parts: bytes, **more: Any) -> None:
        if kind != _IGNORE or not str(connection.get_extra_info("send_cipher")).endswith(_AUTHENTICATED):
            send(kind, *parts, **more)

    connection.send_packet = cast("Any", sparingly)  # type: ignore[method-assign]


class _Owner(asyncssh.SSHClient):
    """Listens to one connection: when TCP is up, which host key was shown, when it was lost."""

    def __init__(self, deadline: asyncio.Timeout, login_s: float) -> None:
        self._deadline = deadline
        self._login_s = login_s
        self.reached = False
        self.shown: asyncssh.SSHKey | None = None
        self.lost = False
        self.lost_by: Exception | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self.reached = True
        _without_ignored(conn)
        self._deadline.reschedule(asyncio.get_running_loop().time() + self._login_s)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        self.shown = key
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        self.shown = key
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.lost_by = exc


class Link:
    """A connection that is logged in, and those to the jump hosts that carry it."""

    def __init__(
        self,
        connections: tuple[asyncssh.SSHClientConnection, ...],
        owner: _Owner,
        peer: Peer,
        timeouts: Timeouts,
    ) -> None:
        self._connections = connections
        self._owner = owner
        self._peer = peer
        self._timeouts = timeouts
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def is_lost(self) -> bool:
        return self._owner.lost

    @property
    def host_key(self) -> str:
        """Of the server at its end: type and key, as in a known_hosts file."""
        key = self._connections[-1].get_server_host_key()
        assert key is not None, "a link is logged in"
        return key.export_public_key("openssh").decode("ascii").strip()

    async def open(self, command: str) -> SshChannel | None:
        """Start a command; None when the server allows no more programs on this connection."""
        for _ in range(_START_ATTEMPTS):
            opening = asyncio.ensure_future(self._start(command))
            try:
                # Cancelled half-way, asyncssh would forget a channel that the server opens all the same.
                session = await asyncio.shield(opening)
            except asyncio.CancelledError:
                opening.add_done_callback(self._abandon)
                raise
            except asyncssh.ChannelOpenError as error:
                await asyncio.sleep(0)  # lets asyncssh tell the owner, if the connection is what failed
                if self._owner.lost:
                    raise lost(self._peer, self._owner.lost_by) from error
                if error.code != asyncssh.OPEN_REQUEST_SESSION_FAILED:
                    return None
            except TRANSLATED as error:
                raise lost(self._peer, error) from error
            else:
                return SshChannel(session, self._peer, self._timeouts.close_s)
        raise failure(self._peer, "protocol", Fault.DEVICE, "{title} does not run commands")

    async def _start(self, command: str) -> ClientSession:
        # As bytes: a folder of a device may have a name that is not UTF-8. asyncssh takes both, but says str.
        line = cast("str", command.encode("utf-8", "surrogateescape"))
        _, session = await self._connections[-1].create_session(ClientSession, line, encoding=None)
        return cast("ClientSession", session)

    def _abandon(self, opening: asyncio.Task[ClientSession]) -> None:
        """Ends a program that was started after the caller was cancelled."""
        if not opening.cancelled() and opening.exception() is None:
            ending = asyncio.create_task(opening.result().end())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        for ending in tuple(self._ending):
            ending.cancel()
        await _close(self._connections, self._timeouts.close_s)


async def open_link(hops: tuple[Hop, ...], known_hosts: Path, timeouts: Timeouts) -> Link:
    """Connect and log in, hop by hop. Raises DeviceError as `Transport.connect`; leaves nothing open then."""
    if len(hops) == 1:
        return await _open(hops, known_hosts, timeouts)
    gate = _gates.setdefault(asyncio.get_running_loop(), {}).setdefault(hops[0].peer.title, _Gate())
    while True:
        width = await gate.enter()
        try:
            return await _open(hops, known_hosts, timeouts)
        except _DroppedError as dropped:
            if not gate.narrow(width):
                raise dropped.error from dropped
        finally:
            gate.leave()


async def _open(hops: tuple[Hop, ...], known_hosts: Path, timeouts: Timeouts) -> Link:
    """Raises _DroppedError where the jump host closed the connection before we were logged in."""
    connections: list[asyncssh.SSHClientConnection] = []
    try:
        for hop in hops:
            connection, owner = await _login(hop, _last(connections), known_hosts, timeouts)
            connections.append(connection)
    except BaseException as error:
        await _close(tuple(connections), timeouts.close_s)
        if not connections and len(hops) > 1 and isinstance(error, DeviceError) and error.cause == LOST:
            raise _DroppedError(error) from error
        raise
    return Link(tuple(connections), owner, hops[-1].peer, timeouts)


def retrying(timeouts: Timeouts) -> tenacity.AsyncRetrying:
    """Calls a function again after transient failures, at least half a second later: a server that restarts
    refuses connections for about a second.
    """
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(lambda e: isinstance(e, DeviceError) and e.transient),
        stop=tenacity.stop_after_attempt(timeouts.attempts)
        | tenacity.stop_before_delay(timeouts.retry_total_s),
        wait=tenacity.wait_exponential(multiplier=_FIRST_WAIT_S, max=_LONGEST_WAIT_S)
        + tenacity.wait_random(0, _FIRST_WAIT_S),
        reraise=True,
    )


async def shown_host_keys(
    hops: tuple[Hop, ...], known_hosts: Path, timeouts: Timeouts
) -> tuple[asyncssh.SSHKey, ...]:
    """The host keys that the last of `hops` shows, one per kind, none verified; the jump hosts are.

    Raises DeviceError as `Transport.connect`.
    """
    *jumps, hop = hops
    connections: list[asyncssh.SSHClientConnection] = []
    keys: list[asyncssh.SSHKey] = []
    refusal: Exception = asyncssh.KeyExchangeFailed("no host key")
    where = {name: hop.options[name] for name in _WHERE if name in hop.options}
    try:
        for jump in jumps:
            connection, _ = await _login(jump, _last(connections), known_hosts, timeouts)
            connections.append(connection)
        for kind in KEY_KINDS:
            try:
                async with asyncio.timeout(hop.connect_s or timeouts.connect_s):
                    key = await asyncssh.get_server_host_key(
                        tunnel=cast("Any", _last(connections)), server_host_key_algs=kind, **where
                    )
            except (asyncssh.KeyExchangeFailed, asyncssh.ConnectionLost, ConnectionError) as error:
                # It has no key of this kind, and may close the connection before the answer is read.
                refusal = error
                continue
            keys += [key] if key else []
    except TRANSLATED as error:
        raise translate(error, hop.peer) from error
    finally:
        await _close(tuple(connections), timeouts.close_s)
    if not keys:
        raise translate(refusal, hop.peer)
    return tuple(keys)


async def trust_of(hop: Hop, known_hosts: Path, limit_s: float = Timeouts.ssh_files_s) -> Trust:
    """`trust` for a hop, read in a thread: these files may lie on a disk that is slow or far away. Raises
    DeviceError `ssh-files`.
    """
    async with in_time(limit_s, hop.peer):
        return await in_turn(trust, hop.known_as, known_hosts, hop.known_hosts)


async def _login(
    hop: Hop, tunnel: asyncssh.SSHClientConnection | None, known_hosts: Path, timeouts: Timeouts
) -> tuple[asyncssh.SSHClientConnection, _Owner]:
    deadline = asyncio.timeout(hop.connect_s or timeouts.connect_s)
    owner = _Owner(deadline, timeouts.login_s)
    try:
        trusted = Trust((hop.key,)) if hop.key else await trust_of(hop, known_hosts, timeouts.ssh_files_s)
        async with deadline:
            connection = await asyncssh.connect(
                client_factory=lambda: owner,
                # None, not "not given": asyncssh would open the jump hosts of ~/.ssh/config by itself, and
                # trust them by other rules.
                tunnel=cast("Any", tunnel),
                known_hosts=(trusted.keys, trusted.authorities, trusted.revoked),
                server_host_key_algs=trusted.algorithms,
                keepalive_interval=timeouts.keepalive_s,
                keepalive_count_max=timeouts.keepalive_misses,
                **hop.options,
            )
    except RequestError as error:
        raise failure(hop.peer, "ssh-config", Fault.USER, "{error}", error=str(error)) from error
    except asyncssh.HostKeyNotVerifiable as error:
        raise await asyncio.to_thread(_bad_host_key, hop, owner.shown, trusted, known_hosts) from error
    except asyncssh.PermissionDenied as error:
        if hop.locked:
            raise failure(
                hop.peer,
                "identity-locked",
                Fault.USER,
                "{title} accepts none of the SSH keys; {error} has a passphrase and is not in the SSH agent",
                error=str(hop.locked[0]),
                hint=f"ssh-add {hop.locked[0]}",
            ) from error
        raise translate(error, hop.peer) from error
    except TRANSLATED as error:
        raise translate(error, hop.peer) from error
    return connection, owner


def _bad_host_key(hop: Hop, shown: asyncssh.SSHKey | None, trusted: Trust, known_hosts: Path) -> DeviceError:
    """The error for an unknown, changed or revoked host key."""
    now = f"{describe(hop.known_as, shown).type} {shown.get_fingerprint()}" if shown else "a revoked key"
    if shown is None or trusted.keys:
        before = ", ".join(
            f"{describe(hop.known_as, key).type} {key.get_fingerprint()}" for key in trusted.keys
        )
        files = ", ".join(str(path) for path in (known_hosts, *hop.known_hosts) if path.exists())
        return failure(
            hop.peer,
            "host-key-changed",
            Fault.DEVICE,
            "the host key of {title} changed: {error}; the device was reinstalled, or this is an attack",
            error=f"{now} instead of {before or 'none'} (in {files})",
            hint="farm devices trust {device} --replace",
        )
    return failure(
        hop.peer,
        "host-key-unknown",
        Fault.USER,
        "unknown host key of {title}: {error}",
        error=now,
        hint="farm devices trust {device}",
    )


def _last(connections: list[asyncssh.SSHClientConnection]) -> asyncssh.SSHClientConnection | None:
    return connections[-1] if connections else None


async def _close(connections: tuple[asyncssh.SSHClientConnection, ...], limit_s: float) -> None:
    """The device first, then its jump hosts; what does not close in time is aborted."""
    for connection in reversed(connections):
        connection.close()
    try:
        async with asyncio.timeout(limit_s):
            for connection in reversed(connections):
                await connection.wait_closed()
    except TimeoutError:
        pass
    finally:
        for connection in reversed(connections):
            connection.abort()
