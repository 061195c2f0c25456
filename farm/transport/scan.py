"""Who is an SSH server: its first line, and what is known of its host keys. Nobody logs in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from farm.model.device import Device
from farm.transport.base import Timeouts
from farm.transport.host_keys import fetch_host_keys
from farm.transport.known_hosts import HostKey, describe
from farm.transport.link import trust_of
from farm.transport.route import route
from farm.visible import one_line

AT_A_TIME = 64
"""Connections that are open at once."""

_LONGEST_GREETING_BYTES = 8192
_SHOWN_CHARS = 80


@dataclass(frozen=True)
class Answer:
    """What an address said on a port; `greeting` is None where no SSH server answered in time."""

    host: str
    port: int
    greeting: str | None


class Known(StrEnum):
    """What is known of the host keys that a device shows."""

    PINNED = "pinned"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    """Others are pinned: it was reinstalled, or somebody else answers."""


async def ask_all(places: Iterable[tuple[str, int]], limit_s: float) -> AsyncIterator[Answer]:
    """The answers as they come. At most AT_A_TIME connections are open, each for `limit_s` at most."""
    left = iter(places)
    asking: set[asyncio.Task[Answer]] = set()
    try:
        while True:
            for place in left:
                asking.add(asyncio.create_task(_ask(*place, limit_s)))
                if len(asking) >= AT_A_TIME:
                    break
            if not asking:
                return
            done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                yield one.result()
    finally:
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def _ask(host: str, port: int, limit_s: float) -> Answer:
    """The line that begins with SSH-; servers may send others before it (RFC 4253, 4.2)."""
    writer = None
    greeting = None
    with contextlib.suppress(OSError, TimeoutError, ValueError, UnicodeError):
        try:
            async with asyncio.timeout(limit_s):
                reader, writer = await asyncio.open_connection(host, port, limit=_LONGEST_GREETING_BYTES)
                read_bytes = 0
                while read_bytes <= _LONGEST_GREETING_BYTES and (line := await reader.readline()):
                    read_bytes += len(line)
                    if line.startswith(b"SSH-") and line.endswith(b"\n"):
                        greeting = one_line(line.decode("utf-8", "replace"), _SHOWN_CHARS)
                        break
        finally:
            if writer is not None:
                writer.transport.abort()
    return Answer(host, port, greeting)


async def host_keys_of(
    device: Device, known_hosts: Path, timeouts: Timeouts
) -> tuple[tuple[HostKey, ...], Known]:
    """The keys that the device shows (or the first jump host that is not trusted), and what is known of them.

    Raises DeviceError as `fetch_host_keys`.
    """
    keys = await fetch_host_keys(device, known_hosts=known_hosts, timeouts=timeouts)
    hop = (await route(device))[-1]
    if not keys or keys[0].host != hop.known_as:
        return keys, Known.UNKNOWN
    trust = await trust_of(hop, known_hosts)
    pinned = {describe(hop.known_as, key).line for key in trust.keys}
    refused = {describe(hop.known_as, key).line for key in trust.revoked}
    shown = {key.line for key in keys}
    if shown & refused:
        return keys, Known.CHANGED
    if shown & pinned:
        return keys, Known.PINNED
    return keys, Known.CHANGED if pinned else Known.UNKNOWN
