"""The route to a device: its jump hosts and itself, from the inventory and ~/.ssh/config."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from farm.errors import Fault, RequestError
from farm.model.device import Address, Device
from farm.transport.address import ssh_argv
from farm.transport.base import Timeouts
from farm.transport.faults import Peer, failure
from farm.transport.known_hosts import host_name
from farm.transport.library import asyncssh
from farm.transport.openssh.configuration import DEFAULT_PORT, Settings, settings_of
from farm.transport.openssh.options import options_of
from farm.transport.openssh.preferred import preferred
from farm.transport.reading import in_time, in_turn, require_no_pipe

_MAX_HOPS = 8

# A connection must not need user input, nor give access to this machine.
ALWAYS: Mapping[str, Any] = {
    "config": None,  # read by OpenSSH: see openssh/configuration.py
    "password_auth": False,
    "kbdint_auth": False,
    "host_based_auth": False,
    "gss_host": None,
    "agent_forwarding": False,
    "x11_forwarding": False,
    "request_pty": False,
    "encoding": None,
    "ignore_encrypted": True,
    # Replaced by our own timeouts, which show in which phase the time ran out.
    "connect_timeout": None,
    "login_timeout": 0,
}


@dataclass(frozen=True)
class Hop:
    """One SSH server on the way.

    `known_as` is its name in known_hosts files, `known_hosts` the user's files; `options` go to
    asyncssh.connect; `locked` are identities that need a passphrase; `key` is the one accepted host key
    where no file is asked (the embedded server).
    """

    peer: Peer
    known_as: str
    known_hosts: tuple[Path, ...]
    options: Mapping[str, Any]
    connect_s: float | None = None
    locked: tuple[Path, ...] = ()
    key: asyncssh.SSHKey | None = None


@dataclass(frozen=True)
class _Identities:
    """`usable` private keys, `locked` ones, and `agent`: public halves to which an agent is restricted."""

    usable: tuple[str, ...]
    locked: tuple[Path, ...]
    agent: tuple[bytes, ...] | None


async def route(device: Device, limit_s: float = Timeouts.ssh_files_s) -> tuple[Hop, ...]:
    """All hops to `device`, itself last.

    Raises DeviceError: `identity-missing` for an identity of the inventory that cannot be used, `ssh-config`
    for mistakes there, among them jump hosts that form a loop, `ssh-files` after `limit_s`.
    """
    where = device.address
    async with in_time(limit_s, peer_of(device.name, where, where.identity)):
        return await _route(device)


async def _route(device: Device) -> tuple[Hop, ...]:
    hop, jumps = await _hop(device.name, device.address, device.address.identity, ())
    hops = [hop]
    # Like OpenSSH: a list of jump hosts is complete, but ~/.ssh/config may add hosts before its first one.
    while jumps:
        *before, last = jumps
        hop, more = await _hop(device.name, last, (), device.address.identity)
        if len(hops) == _MAX_HOPS:
            raise failure(hop.peer, "ssh-config", Fault.USER, "the jump hosts of {title} form a loop")
        hops.append(hop)
        jumps = tuple(before) if before else more
    return tuple(reversed(hops))


def peer_of(device: str, address: Address, identity: tuple[Path, ...]) -> Peer:
    """For messages, as long as it is not known which user and port a configuration gives."""
    return Peer(device, address.host, shlex.join((*ssh_argv(address, "-v", identity=identity), "true")))


async def _hop(
    device: str, address: Address, identity: tuple[Path, ...], also: tuple[Path, ...]
) -> tuple[Hop, tuple[Address, ...]]:
    """One hop, and the jump hosts before it. `also` are identities to try besides the usual ones."""
    peer = peer_of(device, address, identity)
    try:
        settings = await settings_of(address)
        return await in_turn(_configured, peer, settings, identity, also)
    except RequestError as error:
        hint = error.hint or peer.debug
        raise failure(peer, "ssh-config", Fault.USER, "{error}", error=str(error), hint=hint) from error


def _configured(
    peer: Peer, settings: Settings, identity: tuple[Path, ...], also: tuple[Path, ...]
) -> tuple[Hop, tuple[Address, ...]]:
    peer = replace(peer, title=_title(settings.user, settings.host, settings.port))
    keys = _identities(
        [*identity] or [*settings.paths("identityfile"), *also],
        peer,
        required=frozenset(identity),
        only=bool(identity or settings.line("identitiesonly") == "yes"),
    )
    jumps = _jumps(settings.line("proxyjump"), peer)
    options = {
        **ALWAYS,
        **preferred(),
        **options_of(settings),
        "host": settings.host,
        "port": settings.port,
        "username": settings.user,
        # Nothing, but not false: asyncssh would take its own usual keys.
        "client_keys": list(keys.usable) or iter(()),
    }
    if keys.agent is not None:
        options["agent_identities"] = list(keys.agent)
        if not keys.agent:
            options["agent_path"] = None
    if jumps:
        options["proxy_command"] = None
    timeout_s = settings.line("connecttimeout")
    return Hop(
        peer=peer,
        known_as=settings.line("hostkeyalias") or host_name(settings.host, settings.port),
        known_hosts=tuple(
            path
            for keyword in ("userknownhostsfile", "globalknownhostsfile")
            for path in settings.known_hosts(keyword)
        ),
        options=options,
        connect_s=float(timeout_s) if timeout_s else None,
        locked=keys.locked,
    ), jumps


def _identities(files: list[Path], peer: Peer, *, required: frozenset[Path], only: bool) -> _Identities:
    """Sorts `files`; those not `required` may be missing, as for OpenSSH."""
    usable: list[str] = []
    locked: list[Path] = []
    public: list[bytes] = []
    blind = False
    for path in files:
        file = path.expanduser()
        try:
            require_no_pipe(file)
            asyncssh.read_private_key(file)
            usable.append(str(file))
            continue
        except OSError as error:
            if path in required:
                raise failure(
                    peer,
                    "identity-missing",
                    Fault.USER,
                    "cannot read the identity file {error}",
                    error=f"{file} ({error.strerror})",
                    hint="correct `identity` of {device} in the inventory",
                ) from error
            continue
        except asyncssh.KeyImportError as error:
            needs_passphrase = str(error).startswith("Passphrase")
        # The agent may have it: its public half, or the file itself, identifies it.
        half = _public(file.with_name(file.name + ".pub")) or _public(file)
        if half is None and path in required and not needs_passphrase:
            raise failure(
                peer,
                "identity-missing",
                Fault.USER,
                "{error} is not an SSH key",
                error=str(file),
                hint="correct `identity` of {device} in the inventory",
            )
        if needs_passphrase:
            locked.append(file)
        if half is not None:
            public.append(half)
        blind = blind or (needs_passphrase and half is None)
    return _Identities(tuple(usable), tuple(locked), tuple(public) if only and not blind else None)


def _public(file: Path) -> bytes | None:
    try:
        require_no_pipe(file)
        return asyncssh.read_public_key(file).public_data
    except (OSError, asyncssh.KeyImportError):
        return None


def _jumps(text: str | None, peer: Peer) -> tuple[Address, ...]:
    """`[user@]host[:port]`, or `ssh://` addresses, with commas between."""
    if text is None:
        return ()
    try:
        parts = [urlsplit(one if "://" in one else f"ssh://{one.strip()}") for one in text.split(",")]
        jumps = tuple(Address(part.hostname or "", part.port, part.username) for part in parts)
    except ValueError:
        jumps = ()
    if not jumps or not all(jump.host for jump in jumps):
        raise failure(peer, "ssh-config", Fault.USER, "invalid list of jump hosts: {error}", error=text)
    return jumps


def _title(user: str, host: str, port: int) -> str:
    return f"{user}@{f'[{host}]' if ':' in host else host}" + (f":{port}" if port != DEFAULT_PORT else "")
