"""A login for bring-up, with Fabric: commands with sudo, and its password where one is asked for.

The only user of Fabric and paramiko. A `Shell` blocks: call it in a thread. Where to go, with which keys, and
which host keys count is decided as for every other connection (`route.py`, `known_hosts.py`), not by Fabric:
it reads no configuration of its own, and an unknown host key is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import fabric
import paramiko
from invoke.exceptions import AuthFailure, CommandTimedOut, WatcherError
from invoke.watchers import StreamWatcher

from farm.errors import DeviceError, Fault, RequestError
from farm.files import is_file
from farm.model.device import Device
from farm.model.limits.deadlines import Deadlines
from farm.transport.channel import command_line
from farm.transport.faults import failure
from farm.transport.known_hosts import Trust
from farm.transport.library import asyncssh
from farm.transport.link import trust_of
from farm.transport.openssh.configuration import DEFAULT_PORT
from farm.transport.openssh.preferred import preferred
from farm.transport.route import Hop, route

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # or tracebacks of it are on the terminal

_CHECK, _DEBUG = "farm devices check {device}", "{debug}"
OUTPUT_LIMIT_BYTES = 256 << 10
"""Of one command: more is no answer to what bring-up asks."""

# Options that `route` makes of ~/.ssh/config and that Fabric cannot follow: it would go elsewhere.
_CANNOT = {
    "proxy_command": "ProxyCommand",
    "local_addr": "BindAddress",
    "client_certs": "CertificateFile",
    "pkcs11_provider": "PKCS11Provider",
    "kex_algs": "KexAlgorithms",
    "mac_algs": "MACs",
    "agent_path": "IdentityAgent",
}
KEY_LIMIT_BYTES = 64 << 10

# Ends its words, with all that they started, when the connection does: its input ends then.
_GUARD = """
exec 3<&0 </dev/null
if command -v setsid >/dev/null 2>&1; then setsid "$@" 3<&- & group=-; else "$@" 3<&- & group=; fi
child=$!
{ cat <&3; kill -9 $group$child; } >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait $child
status=$?
kill $watch 2>/dev/null
exit $status
"""


@dataclass(frozen=True)
class Said:
    """What a command ended with. The text is a device's: clean it before it is shown."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Way:
    """How to reach a device: its hops, and what is trusted of each."""

    hops: tuple[Hop, ...]
    trusts: tuple[Trust, ...]

    @property
    def user(self) -> str:
        """Who logs in on the device."""
        return str(self.hops[-1].options["username"])


async def way_to(device: Device, known_hosts: Path) -> Way:
    """Raises DeviceError where no host key is pinned, and for a configuration that Fabric cannot follow."""
    hops = await route(device)
    usual = {**preferred(), "agent_path": os.environ.get("SSH_AUTH_SOCK")}
    trusts = []
    for hop in hops:
        for option, keyword in _CANNOT.items():
            value = hop.options.get(option)
            if value and value != usual.get(option):
                raise failure(
                    hop.peer,
                    "ssh-config",
                    Fault.USER,
                    "bring-up cannot follow {error} of the SSH configuration for {title}",
                    error=keyword,
                    hint="set address, port, user, identity and proxy_jump of {device} in the inventory",
                )
        try:
            trust = await trust_of(hop, known_hosts)
        except RequestError as error:
            raise failure(hop.peer, "ssh-config", Fault.USER, "{error}", error=str(error)) from error
        revoked = {key.public_data for key in trust.revoked}
        trust = replace(trust, keys=tuple(key for key in trust.keys if key.public_data not in revoked))
        if not trust.keys:
            text = "unknown host key of {title}"
            if trust.authorities:
                text = "bring-up cannot check certificates of hosts, and no key of {title} is pinned"
            raise failure(hop.peer, "host-key-unknown", Fault.USER, text, hint="farm devices trust {device}")
        trusts.append(trust)
    return Way(hops, tuple(trusts))


async def public_keys(way: Way) -> tuple[str, ...]:
    """The public half of the key with which farm logs in, `type base64`; not of one that an agent has."""

    def read() -> tuple[str, ...]:
        found = []
        for path in way.hops[-1].options["client_keys"]:
            with contextlib.suppress(OSError, asyncssh.KeyImportError):
                found.append(_public_line(asyncssh.read_private_key(path)))
        return tuple(found[:1])  # the one that is tried first

    return await asyncio.to_thread(read)


def public_key(path: Path) -> str:
    """Of a public key file. Raises RequestError where it is none."""
    try:
        if not is_file(path) or path.stat().st_size > KEY_LIMIT_BYTES:
            raise RequestError(f"--key {path}: is not a public key file", hint="--key ~/.ssh/id_ed25519.pub")
        return _public_line(asyncssh.read_public_key(path))
    except (OSError, asyncssh.KeyImportError) as error:
        why = getattr(error, "strerror", None) or "is not a public key of OpenSSH"
        raise RequestError(f"--key {path}: {why}", hint="--key ~/.ssh/id_ed25519.pub") from error


def _public_line(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode("ascii").split()[:2])


class _Limit(StreamWatcher):
    """Ends a command that says too much."""

    def submit(self, stream: str) -> tuple[str, ...]:
        if len(stream) > OUTPUT_LIMIT_BYTES:
            raise WatcherError("too much output")
        return ()


class Shell:
    """A login on a device. `with Shell(way, deadlines) as shell:`; another thread may `close` it.

    Raises DeviceError, stage `connect`, where it cannot be had, and when it is lost.
    """

    def __init__(self, way: Way, deadlines: Deadlines, sudo_password: str | None = None) -> None:
        self._deadlines = deadlines
        self._peer = way.hops[-1].peer
        self._password = sudo_password
        self._closed = threading.Event()
        self._connections: list[fabric.Connection] = []
        for hop, trust in zip(way.hops, way.trusts, strict=True):
            last = hop is way.hops[-1]
            gateway = self._connections[-1] if self._connections else None
            self._connections.append(self._connection(hop, trust, gateway, sudo_password if last else None))

    def __enter__(self) -> Self:
        for connection in self._connections:
            self._tried(connection.open, "connect")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """What runs in another thread fails."""
        self._closed.set()
        for connection in reversed(self._connections):
            with contextlib.suppress(Exception):
                connection.client.close()

    def run(self, argv: Sequence[str], *, as_root: bool = False, is_whole: bool = False) -> Said:
        """Run a command to its end; with `as_root` by sudo, with the password where there is one.

        It ends with the connection, but for one that `is_whole`: that goes on on the device, since half of it
        would be worse.
        """
        words = tuple(argv) if is_whole else ("sh", "-c", _GUARD, "farm-guard", *argv)
        command = command_line(words)
        connection = self._connections[-1]
        more: dict[str, Any] = {
            "hide": True,
            "warn": True,
            "pty": False,
            "in_stream": False,
            "encoding": "utf-8",
            "timeout": self._deadlines.provision_s,
            "watchers": [_Limit()],
        }
        run = connection.run
        if as_root:
            command = command.removeprefix("exec ")
            if self._password is None:
                command = f"sudo -n {command}"
            else:
                run = connection.sudo
        result = self._tried(lambda: run(command, **more), "provision")
        return Said(int(result.exited), str(result.stdout), str(result.stderr))

    def _connection(
        self, hop: Hop, trust: Trust, gateway: fabric.Connection | None, password: str | None
    ) -> fabric.Connection:
        options = hop.options
        host, port = str(options["host"]), int(options["port"])
        config = fabric.Config(
            lazy=True,  # no files of Fabric's own, no environment
            ssh_config=paramiko.SSHConfig(),
            overrides={"load_ssh_configs": False, "sudo": {"password": password}},
        )
        connection = fabric.Connection(
            host,
            user=str(options["username"]),
            port=port,
            config=config,
            gateway=gateway,
            forward_agent=False,
            connect_timeout=max(1, round(hop.connect_s or self._deadlines.connect_s)),
            connect_kwargs={
                "key_filename": [str(key) for key in options["client_keys"]],
                "allow_agent": options.get("agent_path", True) is not None,
                "look_for_keys": False,
                "banner_timeout": self._deadlines.login_s,
                "auth_timeout": self._deadlines.login_s,
                "channel_timeout": self._deadlines.login_s,
            },
        )
        # Fabric would trust whoever answers first.
        connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        name = host if port == DEFAULT_PORT else f"[{host}]:{port}"  # what paramiko looks up
        known = connection.client.get_host_keys()
        for key in trust.keys:
            entry = paramiko.hostkeys.HostKeyEntry.from_line(f"{name} {_public_line(key)}")
            if entry is not None:  # of a kind that paramiko has
                known.add(name, entry.key.get_name(), entry.key)
        return connection

    def _tried(self, work: Any, deadline: str) -> Any:
        """Its result, or DeviceError for whatever a library raises: what a device sends decides that."""
        try:
            return work()
        except Exception as error:
            raise self._fault(error, deadline) from error

    def _fault(self, error: Exception, deadline: str) -> DeviceError:
        why = getattr(error, "reason", None)
        for row in _FAULTS:
            if isinstance(error, row[0]) or isinstance(why, row[0]):
                _, cause, fault, text, hint = row
                said = self._deadlines.ran_out(deadline) if cause == "timed-out" else str(error)
                return failure(self._peer, cause, fault, text, hint=hint, error=said)
        text = "interrupted" if self._closed.is_set() else f"{type(error).__name__}: {error}"
        return failure(
            self._peer, "connection-lost", Fault.NETWORK, "connection to {title} lost: {error}", error=text
        )


_FAULTS: tuple[tuple[Any, str, Fault, str, str], ...] = (
    (
        paramiko.BadHostKeyException,
        "host-key-changed",
        Fault.DEVICE,
        "the host key of {title} is not the pinned one; the device was reinstalled, or this is an attack",
        "farm devices trust {device} --replace",
    ),
    (
        AuthFailure,
        "sudo-refused",
        Fault.USER,
        "sudo on {title} does not accept the password",
        "farm devices provision {device} --ask-sudo-password",
    ),
    (
        paramiko.AuthenticationException,
        "key-refused",
        Fault.USER,
        "{title} accepts none of the SSH keys",
        "farm devices provision {device} --as USER, who may log in there",
    ),
    (
        CommandTimedOut,
        "timed-out",
        Fault.DEVICE,
        "a step on {title} did not end {error}",
        "farm devices check {device}; or longer: --deadline provision=S",
    ),
    (
        WatcherError,
        "protocol",
        Fault.DEVICE,
        "{title} sent more than was asked for",
        _DEBUG,
    ),
    (socket.gaierror, "name-unknown", Fault.USER, "no such host: {title} ({error})", _DEBUG),
    (
        TimeoutError,
        "timed-out",
        Fault.NETWORK,
        "{title} did not answer {error}",
        "farm devices check {device}",
    ),
    (ConnectionRefusedError, "unreachable", Fault.NETWORK, "{title} refused the connection", _DEBUG),
    (
        paramiko.ssh_exception.NoValidConnectionsError,
        "unreachable",
        Fault.NETWORK,
        "cannot reach {title}: {error}",
        _DEBUG,
    ),
    (OSError, "unreachable", Fault.NETWORK, "cannot reach {title}: {error}", _DEBUG),
)
