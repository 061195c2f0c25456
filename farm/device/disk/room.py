"""Room in a device's store: made before files are pushed, and never of what the run needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from farm.device.disk.clean import Removal, enough, removable
from farm.device.disk.stock import Stock, Stored
from farm.device.faults import DISK_FULL
from farm.device.session import Conversation, Session
from farm.errors import DeviceError, Fault, Stage
from farm.model.device import Device

T = TypeVar("T")


@dataclass
class Freed:
    """What was removed to make room."""

    bytes: int = 0
    files: int = 0


class Room:
    """The store of one device in a run. What the run needs is told with `need`, and stays."""

    def __init__(self, session: Session, note: Callable[[str], None] = lambda _: None) -> None:
        self.freed = Freed()
        self._session = session
        self.note = note
        self._needed: set[str] = set()

    def need(self, sha256s: Iterable[str]) -> None:
        """From now on these are not removed; those of earlier calls neither."""
        self._needed.update(sha256s)

    async def make_before(self, push_bytes: int, free_bytes: int | None, disk_bytes: int | None) -> None:
        """`make`, unless nothing is to be pushed and the disk, of which this was known at the probe, has its
        reserve: the listing would cost a device that has all files half a dozen programs for nothing.
        """
        reserve_bytes = self._session.device.store.reserve.of(disk_bytes) or 0
        if push_bytes or free_bytes is None or free_bytes < reserve_bytes:
            await self.make(push_bytes)

    async def make(self, push_bytes: int, *, at_least_bytes: int = 0) -> None:
        """Remove what was not used for longest, as far as the device's limits and a push of so many bytes ask
        for it, and `at_least_bytes` of it where there is so much.

        Raises DeviceError `disk-full`, with nothing removed, when the push cannot fit.
        """
        stock = await self._session.call(lambda agent: agent.stock())
        excess_bytes, lack_bytes = _wanted(self._session.device, stock, push_bytes)
        wanted_bytes = max(excess_bytes, lack_bytes, at_least_bytes)
        removals, freed_bytes = enough(removable(stock, self._needed), wanted_bytes)
        if push_bytes and freed_bytes < lack_bytes:
            raise self._cannot_fit(stock, push_bytes, freed_bytes)
        if removals:
            await self._remove(removals, freed_bytes)

    async def call(self, conversation: Conversation[T], size_bytes: int) -> T:
        """What writes `size_bytes` to the device; once more, after a clean-up, when its disk is full."""
        try:
            return await self._session.call(conversation)
        except DeviceError as error:
            if error.cause != DISK_FULL:
                raise
            self.note(f"{error.message}: making room, then once more")
        await self.make(size_bytes, at_least_bytes=size_bytes)
        return await self._session.call(conversation)

    async def _remove(self, removals: tuple[Removal, ...], freed_bytes: int) -> None:
        from humanize import naturalsize

        session, paths = self._session, [one.path for one in removals]
        await session.call(lambda agent: agent.remove(session.epoch, paths))
        files = sum(isinstance(one, Stored) for one in removals)
        self.freed.bytes += freed_bytes
        self.freed.files += files
        self.note(f"removed {files} files of earlier runs from the device, {naturalsize(freed_bytes)}")

    def _cannot_fit(self, stock: Stock, push_bytes: int, removable_bytes: int) -> DeviceError:
        from humanize import naturalsize

        device, free_bytes = self._session.device, stock.free_bytes or 0
        reserve_bytes = device.store.reserve.of(stock.disk_bytes) or 0
        lack_bytes = push_bytes + reserve_bytes - free_bytes - removable_bytes
        without = lack_bytes <= reserve_bytes
        return DeviceError(
            f"the disk of {self._session.workdir} is too full: {naturalsize(push_bytes)} are to be pushed "
            f"and {naturalsize(reserve_bytes)} stay in reserve; {naturalsize(free_bytes)} are free, and "
            f"{naturalsize(removable_bytes)} of earlier runs could be removed",
            stage=Stage.DEPLOY,
            fault=Fault.DEVICE,
            cause=DISK_FULL,
            hint=f"free {naturalsize(lack_bytes)} there, or set workdir: to another disk"
            + (", or store: {reserve: 0}" if without else ""),
        )


def _wanted(device: Device, stock: Stock, push_bytes: int) -> tuple[int, int]:
    """By how many bytes a push would exceed the device's share, and go into its reserve."""
    share = device.store.share.of(stock.disk_bytes)
    reserve = device.store.reserve.of(stock.disk_bytes) or 0
    excess = 0 if share is None else stock.held_bytes + push_bytes - share
    lack = 0 if stock.free_bytes is None else push_bytes + reserve - stock.free_bytes
    return max(excess, 0), max(lack, 0)
