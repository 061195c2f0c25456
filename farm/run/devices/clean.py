"""`farm devices clean`: what a device's store holds, and its removal. Removal takes the lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from farm import agents
from farm.device import former
from farm.device.disk.clean import Removal, enough, removable
from farm.device.disk.stock import Stock, Stored
from farm.device.faults import LEASE_WAIT
from farm.device.session import Session
from farm.errors import DeviceError, Fault, Stage
from farm.model.device import Device
from farm.model.limits.deadlines import Deadlines
from farm.model.limits.disk import Portion
from farm.run.devices.agents import agent_of
from farm.transport.base import Transports
from farm.transport.pool import open_transports


@dataclass(frozen=True)
class Cleaning:
    """What to do: `keep` of what was used last, and `remove` the rest, or only say what it is. A device that
    somebody holds is waited for as `deadlines` say. `note` is told of what goes on, by device.
    """

    holder: str
    keep: Portion
    remove: bool
    deadlines: Deadlines
    note: Callable[[str, str], None]


@dataclass(frozen=True)
class Gone:
    """A file, a partial upload or a tree of the store, by its path in the working directory; trees take no
    room to speak of. `name` is what the last tree called the file.
    """

    path: str
    name: str
    size_bytes: int


@dataclass(frozen=True)
class Cleaned:
    """The result for one device, or stage and error of the failure. What is `gone` was removed, or would be;
    `free_bytes` were free before, `left_bytes` are free afterwards (None: nothing was removed, or not known).
    """

    device: str
    removed: bool = False
    disk_bytes: int | None = None
    free_bytes: int | None = None
    left_bytes: int | None = None
    held_bytes: int = 0
    freed_bytes: int = 0
    gone: tuple[Gone, ...] = ()
    stage: str | None = None
    error: str | None = None
    hint: str | None = None

    @property
    def files(self) -> tuple[Gone, ...]:
        """All of `gone` that is no tree."""
        return tuple(one for one in self.gone if not one.path.startswith("trees/"))


async def clean_devices(
    devices: Sequence[Device], known_hosts: Path, cleaning: Cleaning
) -> tuple[Cleaned, ...]:
    """All at once; the result is in the order of `devices`."""
    async with open_transports(devices, known_hosts=known_hosts) as transports:
        return tuple(await asyncio.gather(*(_clean(device, transports, cleaning) for device in devices)))


async def _clean(device: Device, transports: Transports, cleaning: Cleaning) -> Cleaned:
    try:
        if cleaning.remove:
            return await _removed(device, transports, cleaning)
        return await _shown(device, transports, cleaning)
    except DeviceError as error:
        return Cleaned(device.name, stage=error.stage.value, error=error.message, hint=error.hint)


async def _shown(device: Device, transports: Transports, cleaning: Cleaning) -> Cleaned:
    async with agent_of(device, transports, cleaning.deadlines) as agent:
        holder = await agent.holder()
        if holder is not None and not await asyncio.to_thread(former.is_gone, holder):
            raise DeviceError(
                f"held by {holder}", stage=Stage.LEASE, fault=Fault.USER, cause="held", hint=LEASE_WAIT
            )
        stock = await agent.stock()
    return _result(device, stock, *_chosen(stock, cleaning))


async def _removed(device: Device, transports: Transports, cleaning: Cleaning) -> Cleaned:
    async with Session(
        device,
        transports.to(device),
        agents.agent_script(),
        holder=cleaning.holder,
        deadlines=cleaning.deadlines,
        note=lambda text: cleaning.note(device.name, text),
    ) as session:
        stock = await session.call(lambda agent: agent.stock())
        removals, freed_bytes = _chosen(stock, cleaning)
        paths = [one.path for one in removals]
        await session.call(lambda agent: agent.remove(session.epoch, paths))
        after = await session.call(lambda agent: agent.stock())
    return _result(device, stock, removals, freed_bytes, after)


def _chosen(stock: Stock, cleaning: Cleaning) -> tuple[tuple[Removal, ...], int]:
    """All, trees and links that take nothing included, unless some is to be kept."""
    keep_bytes = cleaning.keep.of(stock.disk_bytes) or 0
    if keep_bytes:
        return enough(removable(stock), stock.held_bytes - keep_bytes)
    return tuple(removable(stock)), stock.held_bytes


def _result(
    device: Device, stock: Stock, removals: Sequence[Removal], freed_bytes: int, after: Stock | None = None
) -> Cleaned:
    return Cleaned(
        device.name,
        removed=after is not None,
        disk_bytes=stock.disk_bytes,
        free_bytes=stock.free_bytes,
        left_bytes=None if after is None else after.free_bytes,
        held_bytes=stock.held_bytes,
        freed_bytes=freed_bytes,
        gone=tuple(
            Gone(one.path, one.name, one.size_bytes) if isinstance(one, Stored) else Gone(one.path, "", 0)
            for one in removals
        ),
    )
