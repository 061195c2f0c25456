"""Small files of a round in few calls: a program that dumps all of its tensors leaves thousands, and each
alone costs a round trip and a process of the device.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from farm.device.session import Session
from farm.device.spool import FileEntry
from farm.errors import DeviceError
from farm.store.folder import OUT

SMALL_BYTES = 64 << 10
MOST_FILES = 200
MOST_BYTES = 1 << 20
MOST_NAMES_BYTES = 64 << 10
"""Of a call: its names are one command line on the device."""

MOST_AHEAD = 2
"""Calls that are made before the first of them is answered."""

NOT_SO = {"missing", "usage"}
"""Why some cannot be had together: each is asked for alone then, and says it."""


class Together:
    """Reads small files ahead, in the order in which they are asked for. What comes may be anything, also
    what belongs to another of the same call, where one of them changed: their digests tell.
    """

    def __init__(self, session: Session, job: str, entries: Iterable[FileEntry], most_files: int) -> None:
        self._session = session
        self._job = job
        small = (one for one in entries if 0 < one.size_bytes <= SMALL_BYTES)
        self._groups = [group for group in _groups(islice(small, most_files)) if len(group) > 1]
        self._group_of = {one.path: index for index, group in enumerate(self._groups) for one in group}
        self._asked: dict[int, asyncio.Task[dict[str, bytes]]] = {}

    def __contains__(self, entry: FileEntry) -> bool:
        return entry.path in self._group_of

    async def read(self, entry: FileEntry) -> bytes:
        """Its bytes, perhaps, of one that is in this; b"": it is to be read alone. Raises DeviceError."""
        index = self._group_of[entry.path]
        for number in range(index, min(index + MOST_AHEAD, len(self._groups))):
            if number not in self._asked:
                self._asked[number] = asyncio.create_task(self._pick(self._groups[number]))
        await self._drop([one for one in self._asked if one < index])
        try:
            return (await self._asked[index]).get(entry.path, b"")
        except DeviceError as error:
            if error.cause not in NOT_SO:
                raise
            return b""

    async def close(self) -> None:
        """Nothing more is asked for."""
        await self._drop(list(self._asked))

    async def _drop(self, numbers: Sequence[int]) -> None:
        tasks = [self._asked.pop(number) for number in numbers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pick(self, group: Sequence[FileEntry]) -> dict[str, bytes]:
        names = [f"{OUT}/{one.path}" for one in group]
        size_bytes = sum(one.size_bytes for one in group)
        data = await self._session.call(lambda agent: agent.pick(self._job, names, size_bytes))
        contents, offset = {}, 0
        for one in group:
            contents[one.path] = data[offset : offset + one.size_bytes]
            offset += one.size_bytes
        return contents


def _groups(entries: Iterable[FileEntry]) -> Iterator[tuple[FileEntry, ...]]:
    """As many as make a call each."""
    group: list[FileEntry] = []
    size_bytes = names_bytes = 0
    for one in entries:
        size_bytes += one.size_bytes
        names_bytes += len(one.path)
        is_full = len(group) == MOST_FILES or size_bytes > MOST_BYTES or names_bytes > MOST_NAMES_BYTES
        if group and is_full:
            yield tuple(group)
            group, size_bytes, names_bytes = [], one.size_bytes, len(one.path)
        group.append(one)
    if group:
        yield tuple(group)
