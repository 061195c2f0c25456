"""The hosts that an SSH configuration names: `Host` lines without wildcards."""

from __future__ import annotations

import asyncio
import glob
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from farm.errors import RequestError
from farm.files import is_file
from farm.model.device import LOCAL, Address
from farm.run.discover.look import Target
from farm.transport.openssh.configuration import Settings, settings_in, settings_of
from farm.visible import has_controls

MOST_BYTES = 1 << 20
"""Of one file."""

MOST_DEEP = 16
"""Files that include others, as for OpenSSH."""

_LINE = re.compile(r"\s*(?P<keyword>host|include)(?:\s*=\s*|\s+)(?P<rest>.*\S)\s*", re.IGNORECASE)
_NAME = re.compile(r"[^\s@/,*?!-][^\s@/,*?!]{0,254}")


def names_in(file: Path) -> tuple[str, ...]:
    """Each once, in the order of the file and of those that it includes. Blocks.

    Raises RequestError for a file that cannot be read; one that is included and cannot be is skipped, as
    OpenSSH does.
    """
    try:
        text = _text(file)
    except OSError as error:
        raise RequestError(f"cannot be read: {error.strerror}", source=str(file)) from error
    names = dict.fromkeys(name for name in _names(text, 0) if _is_usable(name))
    if not names:
        raise RequestError("names no host without wildcards", source=str(file), hint="Host arm-1")
    return tuple(names)


def _is_usable(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and name != LOCAL and not has_controls(name)


def _text(file: Path) -> str:
    if not is_file(file):
        raise RequestError("is not a file", source=str(file))
    with file.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise RequestError(f"is larger than {MOST_BYTES >> 20} MiB: no SSH configuration", source=str(file))
    return data.decode("utf-8", "surrogateescape")


def _names(text: str, depth: int) -> Iterator[str]:
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        try:
            words = shlex.split(found["rest"], comments=True)
        except ValueError:  # a quote without its end: OpenSSH tells of it
            continue
        if found["keyword"].lower() == "host":
            yield from words
        elif depth < MOST_DEEP:
            for word in words:
                yield from _included(word, depth)


def _included(pattern: str, depth: int) -> Iterator[str]:
    for path in sorted(glob.glob(os.path.join(Path("~/.ssh").expanduser(), os.path.expanduser(pattern)))):  # noqa: PTH111, PTH118, PTH207
        try:
            text = _text(Path(path))
        except (OSError, RequestError):
            continue
        yield from _names(text, depth + 1)


async def targets_of(
    file: Path, names: tuple[str, ...], user: str | None, identity: tuple[Path, ...]
) -> tuple[Target, ...]:
    """Where each host is. Those of the user's own configuration stay names, which farm looks up at each run;
    what another file says of a host is written out. Raises RequestError for what OpenSSH refuses.
    """
    is_own = await asyncio.to_thread(_is_own, file)
    targets = []
    for name in names:
        settings = await (settings_of(Address(name)) if is_own else settings_in(file, name))
        if not is_own and settings.line("proxycommand"):
            raise RequestError(
                f"an inventory cannot hold the ProxyCommand of {name}",
                source=str(file),
                hint="have the host in ~/.ssh/config, which farm reads at each run",
            )
        is_behind = bool(settings.line("proxyjump") or settings.line("proxycommand"))
        address = Address(name, None, user, identity)
        if not is_own:
            address = await asyncio.to_thread(_written_out, settings, user, identity)
        targets.append(Target(settings.host, settings.port, address, is_behind))
    return tuple(targets)


def _is_own(file: Path) -> bool:
    return file.expanduser().resolve() == Path("~/.ssh/config").expanduser().resolve()


def _written_out(settings: Settings, user: str | None, identity: tuple[Path, ...]) -> Address:
    keys = tuple(path for path in settings.paths("identityfile") if is_file(path))
    return Address(
        settings.host, settings.port, user or settings.user, identity or keys, settings.line("proxyjump")
    )
