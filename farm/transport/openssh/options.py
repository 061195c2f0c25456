"""A table: from OpenSSH's settings to asyncssh's options, and what farm refuses because it cannot do it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from asyncssh.mac import get_mac_algs
from asyncssh.public_key import get_public_key_algs

from farm.errors import RequestError
from farm.transport.library import asyncssh
from farm.transport.openssh.configuration import Settings, place_of

_FAMILIES = {"any": socket.AF_UNSPEC, "inet": socket.AF_INET, "inet6": socket.AF_INET6}
_NO = frozenset({"no", "false"})


def options_of(settings: Settings) -> dict[str, Any]:
    """Options of asyncssh.connect for what is configured. Reads files; raises RequestError for `_REFUSED`."""
    for refused in _REFUSED:
        if refused.applies(settings):
            pattern = rf'^\s*"?{refused.keyword}\b'
            raise RequestError(refused.text, source=place_of(settings.question, pattern))
    return {
        option: value
        for keyword, option, convert in _TABLE
        if keyword in settings.changed and (value := convert(settings.lines(keyword))) is not ...
    }


def _known(names: Callable[[], Iterable[bytes]]) -> Callable[[tuple[str, ...]], Any]:
    """The algorithms of a list that asyncssh has too."""

    def convert(lines: tuple[str, ...]) -> Any:
        ours = {name.decode() for name in names()}
        return [name for line in lines for name in line.split(",") if name in ours]

    return convert


def _agent(lines: tuple[str, ...]) -> str | None:
    path = lines[0] if lines else ""
    if path == "SSH_AUTH_SOCK":
        path = "$SSH_AUTH_SOCK"
    path = os.environ.get(path[1:], "") if path.startswith("$") else path
    return str(Path(path).expanduser()) if path else None


def _certificates(lines: tuple[str, ...]) -> list[str]:
    """Those that are there, as OpenSSH does."""
    return [line for line in map(os.path.expanduser, lines) if _is_certificate(line)]


def _is_certificate(path: str) -> bool:
    try:
        asyncssh.read_certificate(path)
    except (OSError, asyncssh.KeyImportError):
        return False
    return True


def _proxy(lines: tuple[str, ...]) -> Any:
    """By the user's shell, as OpenSSH does."""
    return (os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {lines[0]}") if lines else ...


def _rekey(index: int) -> Callable[[tuple[str, ...]], Any]:
    def convert(lines: tuple[str, ...]) -> Any:
        return int(lines[0].split()[index]) or ...

    return convert


# Keyword of OpenSSH, option of asyncssh, and how the lines become its value (...: no option).
_TABLE: tuple[tuple[str, str, Callable[[tuple[str, ...]], Any]], ...] = (
    ("addressfamily", "family", lambda lines: _FAMILIES[lines[0]]),
    ("bindaddress", "local_addr", lambda lines: (lines[0], 0) if lines else ...),
    ("casignaturealgorithms", "signature_algs", _known(get_public_key_algs)),
    ("certificatefile", "client_certs", _certificates),
    ("ciphers", "encryption_algs", _known(get_encryption_algs)),
    ("compression", "compression_algs", lambda _: "zlib@openssh.com,zlib,none"),
    ("identityagent", "agent_path", _agent),
    ("kexalgorithms", "kex_algs", _known(get_kex_algs)),
    ("macs", "mac_algs", _known(get_mac_algs)),
    ("pkcs11provider", "pkcs11_provider", lambda lines: lines[0] if lines else ...),
    ("preferredauthentications", "preferred_auth", lambda lines: lines[0] if lines else ...),
    ("proxycommand", "proxy_command", _proxy),
    ("pubkeyauthentication", "public_key_auth", lambda lines: lines[0] not in _NO),
    ("rekeylimit", "rekey_bytes", _rekey(0)),
    ("rekeylimit", "rekey_seconds", _rekey(1)),
    ("setenv", "env", list),
    ("tcpkeepalive", "tcp_keepalive", lambda lines: lines[0] not in _NO),
)


@dataclass(frozen=True)
class _Refused:
    """Ignored, it would lead elsewhere than OpenSSH goes, or be less careful.

    `keyword` is what the line begins with that is named to the user, a regular expression.
    """

    keyword: str
    text: str
    applies: Callable[[Settings], bool]


def _none_known(keyword: str, names: Callable[[], Iterable[bytes]]) -> Callable[[Settings], bool]:
    return lambda settings: keyword in settings.changed and not _known(names)(settings.lines(keyword))


def _unnamed(keyword: str) -> Callable[[Settings], bool]:
    return lambda settings: any("${" in line for line in settings.lines(keyword))


_ALGORITHMS: Mapping[str, Callable[[], Iterable[bytes]]] = {
    "Ciphers": get_encryption_algs,
    "KexAlgorithms": get_kex_algs,
    "MACs": get_mac_algs,
}

_REFUSED = (
    _Refused(
        "HostName",
        "an address in brackets is no address for OpenSSH: write it without them",
        lambda settings: settings.host.startswith("["),
    ),
    _Refused(
        "BindInterface",
        "farm cannot use BindInterface: set BindAddress to an address of that interface",
        lambda settings: settings.line("bindinterface") is not None,
    ),
    _Refused(
        "ProxyUseFdpass",
        "farm cannot use ProxyUseFdpass: let ProxyCommand pass the bytes on",
        lambda settings: settings.line("proxyusefdpass") == "yes",
    ),
    _Refused(
        "RevokedHostKeys",
        "farm cannot use RevokedHostKeys: mark the keys with @revoked in a known_hosts file",
        lambda settings: settings.line("revokedhostkeys") is not None,
    ),
    *(
        _Refused(keyword, f"farm knows none of these {keyword}", _none_known(keyword.lower(), names))
        for keyword, names in _ALGORITHMS.items()
    ),
    *(
        _Refused(
            rf"{keyword}\b.*\$\{{",
            f"{keyword} names a variable that the environment does not have",
            _unnamed(keyword.lower()),
        )
        for keyword in ("IdentityFile", "CertificateFile")
    ),
)
