"""How a relay hands on what it keeps: its own SSH client starts the agent's script on the other device.

The relay needs OpenSSH's client, and a key with which it may log in there. It trusts the one host key that
the controller has seen. Nothing of the controller's own keys is lent to it.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from farm.model.device import Relay
from farm.transport.base import Endpoint
from farm.transport.channel import command_line

KNOWN_AS = "farm"
"""The name of the one host in the file of host keys."""

OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "HostKeyAlias": KNOWN_AS,
    "GlobalKnownHostsFile": "/dev/null",
    "UpdateHostKeys": "no",
    "ConnectTimeout": "15",
    "ServerAliveInterval": "10",
    "ServerAliveCountMax": "3",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ControlPath": "none",
    "RequestTTY": "no",
    "LogLevel": "ERROR",
}


def known_host(to: Endpoint) -> str:
    """A line of a known_hosts file."""
    return f"{KNOWN_AS} {to.host_key}"


def ssh_command(relay: Relay, to: Endpoint, argv: Sequence[str]) -> str:
    """What the relay's shell runs to start `argv` on the device; its $1 is the file of host keys."""
    words = [word for name, value in OPTIONS.items() for word in ("-o", f"{name}={value}")]
    if relay.identity:
        words += ["-o", "IdentitiesOnly=yes"]
    words += ["-p", str(relay.port or to.port), "-l", relay.user or to.user, "--", relay.host or to.host]
    words.append(command_line(tuple(argv)))
    identity = f"-i {_with_home(relay.identity)} " if relay.identity else ""
    return f'exec ssh -o UserKnownHostsFile="$1" {identity}{shlex.join(words)}'


def by_hand(relay: Relay, to: Endpoint) -> str:
    """The same login, to be shown to a person."""
    identity = f"-i {shlex.quote(relay.identity)} " if relay.identity else ""
    login = f"{relay.user or to.user}@{relay.host or to.host}"
    return f"ssh {identity}-p {relay.port or to.port} {shlex.quote(login)}"


def _with_home(path: str) -> str:
    """A path on the relay, quoted; its home folder stands for `~/`."""
    return f'"$HOME"/{shlex.quote(path[2:])}' if path.startswith("~/") else shlex.quote(path)
