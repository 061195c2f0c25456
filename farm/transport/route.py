"""The route to a device: its jump hosts and itself, from the inventory and ~/.ssh/config."""

from __future__ import annotations

import asyncio
import platform
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncssh

from farm.errors import Fault
from farm.model.device import Address, Device
from farm.transport.address import ssh_argv
from farm.transport.faults import TRANSLATED, Peer, failure, translate
from farm.transport.known_hosts import DEFAULT_PORT, host_name

_MAX_HOPS = 8
_USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts",)
_DEFAULT_IDENTITIES = tuple(
    f"~/.ssh/id_{kind}" for kind in ("ed25519", "ecdsa", "rsa", "ed25519_sk", "ecdsa_sk")
)
_FAST_WITH_AES = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"

# A connection must not need user input, nor give access to this machine.
ALWAYS: Mapping[str, Any] = {
    "config": (),  # ~/.ssh/config
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


async def route(device: Device) -> tuple[Hop, ...]:
    """All hops to `device`, itself last.

    Raises DeviceError: `identity-missing` for an identity of the inventory that cannot be used, and
    `ssh-config` for mistakes there, among them jump hosts that form a loop.
    """
    return await asyncio.to_thread(_route, device)


def _route(device: Device) -> tuple[Hop, ...]:
    hop, jumps = _hop(device.name, device.address, device.address.identity, ())
    hops = [hop]
    # Like OpenSSH: a list of jump hosts is complete, but ~/.ssh/config may add hosts before its first one.
    while jumps:
        *before, last = jumps
        hop, more = _hop(device.name, last, (), device.address.identity)
        if len(hops) == _MAX_HOPS:
            raise failure(hop.peer, "ssh-config", Fault.USER, "the jump hosts of {title} form a loop")
        hops.append(hop)
        jumps = tuple(before) if before else more
    return tuple(reversed(hops))


def _hop(
    device: str, address: Address, identity: tuple[Path, ...], also: tuple[Path, ...]
) -> tuple[Hop, tuple[Address, ...]]:
    """One hop, and the jump hosts before it. `also` are identities to try besides the usual ones."""
    given: dict[str, Any] = {"port": address.port, "username": address.user}
    given = {name: value for name, value in given.items() if value is not None}
    peer = Peer(device, address.host, shlex.join((*ssh_argv(address, "-v", identity=identity), "true")))
    try:
        # No keys are loaded yet: they are checked one by one below.
        read = asyncssh.SSHClientConnectionOptions(host=address.host, client_keys=None, **{**ALWAYS, **given})
    except TRANSLATED as error:
        raise translate(error, peer) from error
    config = read.config
    peer = replace(peer, title=_title(read.username, read.host, read.port))
    configured = [Path(path).expanduser() for path in _strings(config.get("IdentityFile"))]
    usual = configured or [Path(path).expanduser() for path in _DEFAULT_IDENTITIES]
    keys = _identities(
        [*identity] or [*usual, *also],
        peer,
        required=frozenset(identity),
        only=bool(identity or config.get("IdentitiesOnly")),
    )
    jumps = _jumps(address.proxy_jump or read.tunnel, peer)
    options = {**ALWAYS, **given, "host": address.host, "client_keys": list(keys.usable)}
    if keys.agent is not None:
        options["agent_identities"] = list(keys.agent)
        if not keys.agent:
            options["agent_path"] = None
    if jumps:
        options["proxy_command"] = None
    if config.get("Ciphers") is None and _has_aes():
        options["encryption_algs"] = _FAST_WITH_AES
    alias = config.get("HostKeyAlias")
    timeout = config.get("ConnectTimeout")
    return Hop(
        peer=peer,
        known_as=str(alias) if alias else host_name(read.host, read.port),
        known_hosts=tuple(
            Path(path).expanduser()
            for path in (
                *(_strings(config.get("UserKnownHostsFile")) or _USER_KNOWN_HOSTS),
                *(_strings(config.get("GlobalKnownHostsFile")) or _GLOBAL_KNOWN_HOSTS),
            )
        ),
        options=options,
        connect_s=float(timeout) if isinstance(timeout, int) else None,
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
        return asyncssh.read_public_key(file).public_data
    except (OSError, asyncssh.KeyImportError):
        return None


def _jumps(text: object, peer: Peer) -> tuple[Address, ...]:
    """`[user@]host[:port]`, or `ssh://` addresses, with commas between; `none` for none."""
    if not isinstance(text, str) or text.lower() == "none":
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


def _strings(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _has_aes() -> bool:
    """Whether this CPU has AES instructions: then AES-GCM costs half of what ChaCha20 does."""
    try:
        facts = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return platform.machine() in {"arm64", "x86_64", "AMD64"}
    return any("aes" in line.split() for line in facts.splitlines() if line.startswith(("flags", "Features")))
