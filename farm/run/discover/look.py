"""What the hosts that answer are: host keys first, and facts only of those whose key is trusted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from farm.errors import DeviceError
from farm.model.device import Address, Device, Facts, Runtime, RuntimeKind
from farm.model.limits.deadlines import Deadlines
from farm.run.devices.check import Beside, check_devices
from farm.transport.base import Timeouts
from farm.transport.known_hosts import HostKey
from farm.transport.scan import Answer, Known, ask_all, host_keys_of

KEYS_AT_A_TIME = 8


@dataclass(frozen=True)
class Target:
    """Where to ask, and how farm logs in there. `is_behind`: a jump host or a proxy is on the way, so that
    only SSH itself can ask.
    """

    host: str
    port: int
    address: Address
    is_behind: bool = False


@dataclass(frozen=True)
class Found:
    """A host that answered as an SSH server, and what is known of it."""

    address: Address
    greeting: str
    keys: tuple[HostKey, ...] = ()
    known: Known = Known.UNKNOWN
    facts: Facts | None = None
    error: str | None = None
    hint: str | None = None

    @property
    def title(self) -> str:
        return f"{self.address.host}:{self.address.port}" if self.address.port else self.address.host

    @property
    def device(self) -> Device:
        return Device(self.title, self.address, Runtime(RuntimeKind.NATIVE))


async def find(
    targets: Sequence[Target], limit_s: float, progress: Callable[[int, int], None]
) -> tuple[Found, ...]:
    """Those that answer, in the order of `targets`; `progress` is told how many were asked, and answered."""
    places = list(dict.fromkeys((one.host, one.port) for one in targets if not one.is_behind))
    answers: dict[tuple[str, int], Answer] = {}
    asked = 0
    async for answer in ask_all(places, limit_s):
        asked += 1
        if answer.greeting is not None:
            answers[answer.host, answer.port] = answer
        progress(asked, len(answers))
    return tuple(
        Found(one.address, answers[one.host, one.port].greeting or "" if not one.is_behind else "")
        for one in targets
        if one.is_behind or (one.host, one.port) in answers
    )


async def with_keys(found: Sequence[Found], known_hosts: Path, deadlines: Deadlines) -> tuple[Found, ...]:
    """With the host keys that they show; a few at a time."""
    slots = asyncio.Semaphore(KEYS_AT_A_TIME)
    timeouts = Timeouts.of(deadlines)

    async def one(host: Found) -> Found:
        async with slots:
            try:
                keys, known = await host_keys_of(host.device, known_hosts, timeouts)
            except DeviceError as error:
                return Found(host.address, host.greeting, error=error.message, hint=error.hint)
        return Found(host.address, host.greeting, keys, known)

    return tuple(await asyncio.gather(*map(one, found)))


async def with_facts(found: Sequence[Found], known_hosts: Path, deadlines: Deadlines) -> tuple[Found, ...]:
    """With the facts of those whose key is pinned: farm logs in there, as `farm devices check` does."""
    trusted = [host for host in found if host.known is Known.PINNED and host.error is None]
    devices = [host.device for host in trusted]
    results = await check_devices(devices, known_hosts, Beside(deadlines=deadlines))
    checked = {one.device: one for one in results}
    looked = []
    for host in found:
        seen = checked.get(host.title)
        if seen is None:
            looked.append(host)
        else:
            looked.append(
                Found(host.address, host.greeting, host.keys, host.known, seen.facts, seen.error, seen.hint)
            )
    return tuple(looked)
