"""Reads the files that are pushed, for all devices at once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path

BLOCK_BYTES = 1 << 20
KEPT_BYTES = 64 << 20
"""Of the blocks that were read last: devices that get the same file at about the same pace share them."""


class Source:
    """What was just read for one device is not read again for another. Of one event loop."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._most_bytes = kept_bytes
        self._blocks: OrderedDict[Hashable, asyncio.Task[bytes]] = OrderedDict()
        self.read_bytes = 0

    async def block(self, path: Path, offset: int) -> bytes:
        """Up to `BLOCK_BYTES` of a file; b"" at its end. Raises OSError."""
        return await self.made((path, offset), lambda: _read(path, offset))

    async def made(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """What `make` returns, called in a thread; not again while it is remembered under `key`."""
        task = self._blocks.get(key)
        if task is None:
            task = self._blocks[key] = asyncio.create_task(asyncio.to_thread(make))
            task.add_done_callback(lambda done: self._done(key, done))
        elif key in self._blocks:
            self._blocks.move_to_end(key)
        return await asyncio.shield(task)

    def _done(self, key: Hashable, task: asyncio.Task[bytes]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._blocks.pop(key, None)
            return
        self.read_bytes += len(task.result())
        kept = [(one, len(done.result())) for one, done in self._blocks.items() if _has_result(done)]
        excess = sum(size for _, size in kept) - self._most_bytes
        for one, size in kept[:-1]:
            if excess <= 0:
                return
            del self._blocks[one]
            excess -= size


def _has_result(task: asyncio.Task[bytes]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _read(path: Path, offset: int) -> bytes:
    with path.open("rb", buffering=0) as stream:
        stream.seek(offset)
        pieces, left = [], BLOCK_BYTES
        while left and (piece := stream.read(left)):
            pieces.append(piece)
            left -= len(piece)
    return b"".join(pieces)
