"""One answer of `ssh -G` for many hosts, where the configuration does not tell them apart.

A question takes 5 ms of a core, and as long again to begin a process. Most configurations say the same of all
hosts: that is seen by their lines, and whatever is not plain enough counts as telling hosts apart.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from farm.errors import RequestError

FRESH_S = 10.0
"""So long an answer counts: a file that is corrected counts soon, also for who runs for weeks."""
NOBODY = "farm.invalid"
"""A host that no configuration means (RFC 2606)."""

Ask = Callable[[tuple[str, ...]], Awaitable[tuple[str, str]]]
"""Runs a command; what it wrote to stdout and to stderr. Raises RequestError where it fails."""

_SYSTEM = Path("/etc/ssh/ssh_config")
_PLAIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_READ_FILE = re.compile(r"debug1: Reading configuration data ([^\r\n]+)")
# `Host *` and `Match final all` are for all. Tokens have a `%`; a jump host or proxy is not one for itself;
# of what is included only the usual folder is looked at.
_APART = re.compile(
    rb"""^\s*"?(?: host (?! [ \t]+ \* \s*$ ) | match (?! [ \t]+ (final[ \t]+)? all \s*$ )
    | include (?! [ \t]+ /etc/ssh/ssh_config\.d/\*\.conf \s*$ ) | canonical | proxy | [^#\s].*% )""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)


@dataclass(frozen=True)
class Own:
    """The user's file; `seen` tells its versions apart."""

    path: Path
    seen: tuple[int, ...]


Key = tuple[str, tuple[str, ...], Own]


@dataclass(frozen=True)
class _Known:
    until: float
    answer: asyncio.Task[str | None]


_known: dict[asyncio.AbstractEventLoop, dict[Key, _Known]] = {}


def is_plain(host: str) -> bool:
    """Whether OpenSSH takes a name as it is."""
    return _PLAIN.fullmatch(host) is not None and host != NOBODY


async def answer_for_all(ssh: str, flags: tuple[str, ...], own: Own, ask: Ask) -> str | None:
    """What `ssh -G` says of a host that nobody means, if that holds for every host; None where it may not.

    When `own` is another, the question is asked anew. Those who ask at the same time wait for one answer.
    """
    loop = asyncio.get_running_loop()
    key = ssh, flags, own
    for other in list(_known):
        if other.is_closed():  # its answer is a task of it, and would keep it for ever
            _known.pop(other, None)
    kept = _known.setdefault(loop, {})
    known = kept.get(key)
    if known is None or known.until < loop.time():
        kept.clear()
        task = loop.create_task(_asked(ssh, flags, own.path, ask), name="what ssh says of all hosts")
        known = kept[key] = _Known(loop.time() + FRESH_S, task)
    return await asyncio.shield(known.answer)


def own_file(path: Path) -> Own:
    """As it is now."""
    try:
        found = path.stat()
    except OSError:
        return Own(path, ())
    return Own(path, (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size))


async def _asked(ssh: str, flags: tuple[str, ...], own: Path, ask: Ask) -> str | None:
    """Not where a line may tell hosts apart: a command of `Match exec` would run for nobody."""
    read = await asyncio.to_thread(_files_for_all, own)
    if read is None:
        return None
    try:
        told, log = await ask((ssh, "-v", "-T", "-G", *flags, "--", NOBODY))
    except (RequestError, OSError):
        return None  # the host itself is asked for, and told what is wrong
    return told if read.issuperset(_READ_FILE.findall(log)) else None


def _files_for_all(own: Path) -> frozenset[str] | None:
    """The usual files, as far as they are there; None where a line of one may tell hosts apart."""
    found = [own, _SYSTEM, *sorted(Path(f"{_SYSTEM}.d").glob("*.conf"))]
    for path in found:
        try:
            if _APART.search(path.read_bytes()):
                return None
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return frozenset(map(str, found))
