"""known_hosts files: which host keys are trusted for whom, and how a new one is recorded.

The inventory's own known_hosts file wins: where it names a host, only its entries count. Hosts that it
does not name are looked up in the user's own files, which are never written. The format is OpenSSH's
(sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), with hashed names, `@cert-authority` and `@revoked`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from farm.errors import RequestError
from farm.files import write_atomic
from farm.transport.library import asyncssh
from farm.transport.openssh.configuration import DEFAULT_PORT
from farm.transport.reading import require_no_pipe

# Preferred first; one handshake per row when the keys of a host are fetched.
KEY_KINDS = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    ("rsa-sha2-512", "rsa-sha2-256"),
)
_ALGORITHMS = tuple(name for kind in KEY_KINDS for name in kind)


@dataclass(frozen=True)
class HostKey:
    """A public key that a host showed. `line` is its line for a known_hosts file, without newline."""

    type: str
    fingerprint_sha256: str
    line: str

    @property
    def host(self) -> str:
        """The name that the line is for: `host` or `[host]:port`."""
        return self.line.split(" ", 1)[0]


@dataclass(frozen=True)
class Trust:
    """What is known of one host: accepted keys, accepted certificate authorities, refused keys."""

    keys: tuple[asyncssh.SSHKey, ...] = ()
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()

    @property
    def algorithms(self) -> list[str]:
        """Host key algorithms to ask for: of known keys first, so that a host with several keys shows
        the known one; then all others, so that a host with a new key can be told from a host without SSH.
        """
        known = [name.decode() for key in self.keys for name in key.sig_algorithms]
        certificates = [f"{name}-cert-v01@openssh.com" for name in _ALGORITHMS] if self.authorities else []
        return list(dict.fromkeys([*certificates, *(n for n in known if n in _ALGORITHMS), *_ALGORITHMS]))


def host_name(host: str, port: int) -> str:
    """The name of a host in a known_hosts file."""
    return host.lower() if port == DEFAULT_PORT else f"[{host.lower()}]:{port}"


def trust(name: str, known_hosts: Path, users: Sequence[Path]) -> Trust:
    """What the inventory's `known_hosts` and the users' files say of `name` (see `host_name`).

    Missing files are empty. Raises RequestError, with the file as source, for one that cannot be read.
    """
    pins = _lookup(known_hosts, name)
    others = [_lookup(path, name, forgiving=True) for path in users]
    if not pins.keys and not pins.authorities:
        pins = Trust(
            tuple(key for other in others for key in other.keys),
            tuple(key for other in others for key in other.authorities),
            pins.revoked,
        )
    revoked = pins.revoked + tuple(key for other in others for key in other.revoked)
    return Trust(pins.keys, pins.authorities, revoked)


def pinned(known_hosts: Path, host: str, port: int) -> tuple[HostKey, ...]:
    """Keys that a known_hosts file has for `host` and `port`. Raises RequestError if it cannot be read."""
    name = host_name(host, port)
    return tuple(describe(name, key) for key in _lookup(known_hosts, name).keys)


def describe(name: str, key: asyncssh.SSHKey) -> HostKey:
    """`key` as shown by the host `name`."""
    kind, blob = key.export_public_key().decode().split()[:2]
    return HostKey(kind, key.get_fingerprint(), f"{name} {kind} {blob}")


def record(known_hosts: Path, keys: Iterable[HostKey], *, replace: bool = False) -> tuple[HostKey, ...]:
    """Write `keys` to a known_hosts file, whole or not at all; returns those that are new.

    Other lines stay as they are. A host that is known by other keys of the same type raises RequestError
    unless `replace`, which removes all entries of that host. So does a line that cannot be changed
    without changing entries of other hosts (a pattern).
    """
    wanted = tuple(keys)
    lines = _read(known_hosts).removesuffix("\n").split("\n")
    lines = lines if lines != [""] else []
    for name in dict.fromkeys(key.host for key in wanted):
        here = {key.type: key for key in wanted if key.host == name}
        old = [describe(name, key) for key in _lookup(known_hosts, name).keys]
        changed = [key for key in old if key.type in here and key.line != here[key.type].line]
        if changed and not replace:
            raise RequestError(
                f"{name} is pinned with another {changed[0].type} key: {changed[0].fingerprint_sha256}, "
                f"it shows {here[changed[0].type].fingerprint_sha256} now",
                source=str(known_hosts),
                hint="if the device was really set up anew, remove its lines here and trust it again",
            )
        if changed:
            lines = [kept for line in lines for kept in _without(line, name, known_hosts)]
    text = "\n".join(lines)
    new = tuple(key for key in wanted if not _has(text, key))
    if new:
        _write(known_hosts, "".join(f"{line}\n" for line in [*lines, *(key.line for key in new)]))
    return new


def _has(text: str, key: HostKey) -> bool:
    known = _parse(text, forgiving=True).match(key.host, "", None)[0]
    return any(describe(key.host, one).line == key.line for one in known)


def _without(line: str, name: str, source: Path) -> list[str]:
    """`line` without `name`: no line, the same line, or one with fewer names."""
    if not any(_parse(line, forgiving=True).match(name, "", None)[0]):
        return [line]
    names, key = line.split(maxsplit=1)
    if names.startswith("|") or names.lower() == name:
        return []
    left = [one for one in names.split(",") if one.lower() != name]
    shorter = ",".join(left) + " " + key
    if _parse(shorter, forgiving=True).match(name, "", None)[0]:
        raise RequestError(f"the pattern {names} covers {name}; change that line by hand", source=str(source))
    return [shorter]


def _lookup(path: Path, name: str, *, forgiving: bool = False) -> Trust:
    """`forgiving` as OpenSSH is: a file that cannot be read is empty, meaningless lines are skipped."""
    try:
        text = _read(path)
    except RequestError:
        if not forgiving:
            raise
        return Trust()
    try:
        found = _parsed(text, forgiving).match(name.lower(), "", None)
    except _MeaninglessError as error:
        raise RequestError(error.args[1], source=f"{path}:{error.args[0]}") from error
    return Trust(tuple(found[0]), tuple(found[1]), tuple(found[2]))


class _MeaninglessError(Exception):
    """Number of a line, and what is wrong with it."""


def _parse(text: str, forgiving: bool) -> asyncssh.SSHKnownHosts:
    known = asyncssh.import_known_hosts("")
    for number, line in enumerate(text.split("\n"), 1):
        try:
            known.load(_bare(line))
        except ValueError as error:
            if not forgiving:
                raise _MeaninglessError(number, str(error)) from error
    return known


# Once per content: a thousand lines take milliseconds, and every device of a run asks.
_parsed = lru_cache(maxsize=16)(_parse)


def _bare(line: str) -> str:
    """As OpenSSH compares it: no comment, whatever bytes it has, and names in lower case but for hashes."""
    words = line.split()
    count = 4 if line.lstrip().startswith("@") else 3
    if len(words) < count or words[0].startswith("#"):
        return line
    names = words[count - 3]
    words[count - 3] = names if names.startswith("|") else names.lower()
    return " ".join(words[:count])


def _read(path: Path) -> str:
    try:
        require_no_pipe(path)
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise RequestError(f"cannot be read: {error.strerror}", source=str(path)) from error


def _write(path: Path, text: str) -> None:
    target = path.resolve()  # a link stays one, also to another disk
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, text.encode("utf-8", "surrogateescape"), mode=mode)
    except OSError as error:
        raise RequestError(
            f"cannot be written: {error.strerror}",
            source=str(target),
            hint="mend that, or add the keys by hand: ssh-keyscan shows them",
        ) from error
