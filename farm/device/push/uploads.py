"""Uploads of one device: each has a channel of its own. See docs/agent-protocol.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from farm.device.faults import RefusedError, late
from farm.device.push.archive import archive_of
from farm.device.push.compression import Judge, compressed
from farm.device.push.recipe import Recipe
from farm.device.push.source import Source
from farm.device.spool import parse_number
from farm.device.start import accepted, answered, written
from farm.model.artifact import Artifact
from farm.model.limits.deadlines import Deadlines
from farm.transport.base import Channel, Connection, Endpoint

T = TypeVar("T")
Progress = Callable[[int], None]
PIECE_BYTES = 1 << 18
"""What has to move within the deadline `transfer-stall`."""


class Uploads:
    """Sends files over a connection to the agent's script. `moved` is called whenever bytes moved."""

    def __init__(
        self,
        connection: Connection,
        script: str,
        workdir: str,
        deadlines: Deadlines,
        moved: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._script = script
        self._workdir = workdir
        self._deadlines = deadlines
        self._moved = moved
        self.slow: dict[str, float] = {}
        """Files whose end was compressed, by their SHA-256, and bytes per second of the line."""

    async def whole(self, artifact: Artifact, offset: int, source: Source, progress: Progress) -> int:
        """Send a file from `offset` on, to be kept; the bytes sent. Where the line turns out to be slow, its
        rest is compressed, and the file is one of `slow`.
        """
        judge = Judge()
        rest = _ranges(source, artifact, [(offset, artifact.size_bytes - offset)])
        try:
            passed = judge.passed(rest)
            return await self._send(_receive(artifact, offset), passed, lambda sent: progress(offset + sent))
        except RefusedError as error:
            if judge.line_bytes_per_s is None or error.cause != "short":
                raise
            there = min(parse_number(*error.fields[:1]), artifact.size_bytes)
        self.slow[artifact.sha256] = judge.line_bytes_per_s
        rest = _ranges(source, artifact, [(there, artifact.size_bytes - there)])
        packed = compressed(rest, lambda taken: progress(there + taken))
        words = (*_receive(artifact, there), "gzip")
        return there - offset + await self._send(words, packed, lambda _: None)

    async def small(self, artifacts: Sequence[Artifact], source: Source, progress: Progress) -> int:
        """Send small files, to be kept together; the bytes sent."""
        key = ("archive", *(artifact.sha256 for artifact in artifacts))
        archive = await source.made(key, lambda: archive_of(artifacts))
        return await self._send(("unpack", str(len(artifacts))), _once(archive), progress)

    async def changed(self, artifact: Artifact, recipe: Recipe, source: Source, progress: Progress) -> int:
        """Send what is new in a file, and how it is made of that and of older ones; the bytes sent."""
        sizes = (str(artifact.size_bytes), str(recipe.sent_bytes))
        words = ("assemble", artifact.sha256, *sizes, *recipe.words())
        return await self._send(words, _ranges(source, artifact, recipe.fresh), progress)

    async def hand(self, host_key: str, command: str, digests: Sequence[str]) -> None:
        """Let this device send what it keeps to another one, by a command of its own (see push.relay).
        Raises what that one refuses, and `unreached`. What is cancelled ends there, too.
        """
        argv = self.argv(("hand", host_key, command, *digests))
        channel = await self._moving(self._connection.open(argv))
        try:
            await answered(channel)
        finally:
            await channel.close()

    @property
    def endpoint(self) -> Endpoint:
        """The device's SSH server."""
        return self._connection.endpoint

    def argv(self, words: Sequence[str]) -> tuple[str, ...]:
        """How the agent's script is started for an upload: by its verb and what follows the workdir."""
        verb, *rest = words
        return ("sh", self._script, verb, self._workdir, *rest)

    async def _send(self, words: tuple[str, ...], blocks: AsyncIterator[bytes], progress: Progress) -> int:
        channel, sent = await self._moving(self._connection.open(self.argv(words))), 0
        try:
            async for block in blocks:
                for begin in range(0, len(block), PIECE_BYTES):
                    piece = block[begin : begin + PIECE_BYTES]
                    if not await self._moving(written(channel, piece)):
                        break
                    sent += len(piece)
                    progress(sent)
                else:
                    continue
                break
            await self._accepted(channel)
        finally:
            await channel.close()
        return sent

    async def _accepted(self, channel: Channel) -> None:
        """All was sent: it is hashed and written to the disk. Raises what the agent refuses."""
        try:
            async with asyncio.timeout(self._deadlines.work_s):
                await accepted(channel)
        except TimeoutError:
            raise late("the upload was not kept", self._deadlines, "work") from None
        self._moved()

    async def _moving(self, step: Awaitable[T]) -> T:
        """A step of a transfer. Raises DeviceError `no-reply` when it stalls."""
        try:
            async with asyncio.timeout(self._deadlines.transfer_stall_s):
                result = await step
        except TimeoutError:
            raise late("the upload did not move", self._deadlines, "transfer-stall") from None
        self._moved()
        return result


def _receive(artifact: Artifact, offset: int) -> tuple[str, ...]:
    return ("receive", artifact.sha256, str(offset), str(artifact.size_bytes))


async def _ranges(
    source: Source, artifact: Artifact, ranges: Sequence[tuple[int, int]]
) -> AsyncIterator[bytes]:
    """The bytes of (offset, length) in a file; fewer where it has become shorter."""
    for begin, length in ranges:
        offset, end = begin, begin + length
        while offset < end and (block := await source.block(artifact.path, offset)):
            yield block[: end - offset]
            offset += len(block)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
