"""Connection errors: one table from library errors to DeviceError."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from farm.errors import DeviceError, Fault, Stage
from farm.transport.library import asyncssh
from farm.visible import visible

LOST = "connection-lost"
"""The cause of an error: a connection that was there broke."""


@dataclass(frozen=True)
class Peer:
    """A server, for messages: `title` is user@host:port, `debug` an ssh command to try by hand."""

    device: str
    title: str
    debug: str


@dataclass(frozen=True)
class _Row:
    """`matches` tests the text where the type alone does not decide. `text` may use {title} and {error}."""

    kind: type[BaseException]
    cause: str
    fault: Fault
    text: str
    hint: str
    transient: bool = False
    matches: Callable[[str], bool] = lambda _: True


_DEBUG = "{debug}"
_CHECK = "farm devices check {device}"

# The first matching row is used, so special cases come before general ones.
_TABLE = (
    _Row(
        socket.gaierror,
        "name-unknown",
        Fault.NETWORK,
        "the name server did not answer for {title}: {error}",
        _CHECK,
        transient=True,
        matches=lambda text: "emporary" in text,
    ),
    _Row(socket.gaierror, "name-unknown", Fault.USER, "no such host: {title} ({error})", _DEBUG),
    _Row(TimeoutError, "timed-out", Fault.NETWORK, "{title} did not answer in time", _CHECK, transient=True),
    _Row(
        ConnectionRefusedError,
        "unreachable",
        Fault.NETWORK,
        "{title} refused the connection: no SSH server on that port",
        _CHECK,
        transient=True,
    ),
    _Row(
        ConnectionError,
        LOST,
        Fault.NETWORK,
        "connection to {title} lost: {error}",
        _CHECK,
        transient=True,
    ),
    _Row(OSError, "unreachable", Fault.NETWORK, "cannot reach {title}: {error}", _CHECK, transient=True),
    _Row(
        asyncssh.ChannelOpenError,
        LOST,
        Fault.NETWORK,
        "connection to {title} lost",
        _CHECK,
        transient=True,
        matches=lambda text: text == "SSH connection closed",
    ),
    # The answer of a jump host that cannot reach the next one.
    _Row(
        asyncssh.ChannelOpenError,
        "unreachable",
        Fault.NETWORK,
        "the jump host cannot reach {title}: {error}",
        _DEBUG,
        transient=True,
    ),
    # OpenSSH reports this as a protocol error.
    _Row(
        asyncssh.DisconnectError,
        "key-refused",
        Fault.USER,
        "{title} refused the login after too many keys; set `identity` of the device in the inventory",
        _DEBUG,
        matches=lambda text: "oo many authentication failures" in text,
    ),
    _Row(
        asyncssh.PermissionDenied, "key-refused", Fault.USER, "{title} accepts none of the SSH keys", _DEBUG
    ),
    _Row(
        asyncssh.ConnectionLost,
        LOST,
        Fault.NETWORK,
        "connection to {title} lost: {error}",
        _CHECK,
        transient=True,
    ),
    _Row(
        asyncssh.ServiceNotAvailable,
        LOST,
        Fault.DEVICE,
        "{title} closed the connection: {error}",
        _CHECK,
        transient=True,
    ),
    _Row(
        asyncssh.DisconnectError,
        "protocol",
        Fault.DEVICE,
        "{title} does not speak SSH as expected: {error}",
        _DEBUG,
    ),
    _Row(
        asyncssh.ConfigParseError,
        "ssh-config",
        Fault.USER,
        "error in the SSH configuration for {title}: {error}",
        _DEBUG,
    ),
    _Row(ValueError, "ssh-config", Fault.USER, "invalid SSH settings for {title}: {error}", _DEBUG),
)

TRANSLATED: tuple[type[BaseException], ...] = (OSError, asyncssh.Error, ValueError)
"""What `translate` has rows for; everything else is a bug in farm and must not be hidden."""


def translate(error: BaseException, peer: Peer) -> DeviceError:
    """The DeviceError of stage `connect` for a library error that came from talking to `peer`."""
    text = str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)
    row = next(row for row in _TABLE if isinstance(error, row.kind) and row.matches(text))
    translated = failure(peer, row.cause, row.fault, row.text, hint=row.hint, error=text)
    translated.transient = row.transient
    return translated


def failure(
    peer: Peer,
    cause: str,
    fault: Fault,
    text: str,
    *,
    hint: str = _CHECK,
    error: str = "",
) -> DeviceError:
    """A DeviceError of stage `connect`; `{title}`, `{device}`, `{debug}` and `{error}` are filled in."""

    def fill(template: str) -> str:
        values = {"title": peer.title, "device": peer.device, "debug": peer.debug, "error": error}
        return template.format(**{name: visible(value) for name, value in values.items()})

    return DeviceError(fill(text), stage=Stage.CONNECT, fault=fault, cause=cause, hint=fill(hint))


def lost(peer: Peer, error: BaseException | None = None) -> DeviceError:
    """The connection broke (or was closed by us) in the middle of something."""
    why = str(getattr(error, "reason", None) or error or "closed")
    return translate(ConnectionError(why), peer)
