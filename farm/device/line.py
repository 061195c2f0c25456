"""Requests and replies over one channel to the agent."""

from __future__ import annotations

import asyncio

from farm.device.faults import broken, lost, refuse
from farm.device.wire import Reply, Status, WireError, parse_reply, request
from farm.errors import DeviceError
from farm.transport.base import Channel

Answer = tuple[Reply, bytes]


class Line:
    """Calls may overlap: they are sent in turn, and each gets the reply with its number, whenever it comes.

    A call that is cancelled is still sent whole and its reply is read, so that the line stays in step. A line
    that breaks, or on which something else than replies comes, is closed: all calls that wait fail, and
    so do later ones.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._number = 0
        self._turn = asyncio.Lock()
        self._waiting: dict[int, tuple[int, asyncio.Future[Answer]]] = {}
        self._failure: DeviceError | None = None
        self._reader = asyncio.create_task(self._read(), name="replies of an agent")

    async def call(self, verb: str, *arguments: str, limit_bytes: int = 0) -> Answer:
        """The reply and the bytes that follow it, at most `limit_bytes`. An `err` is raised as well."""
        if self._failure is not None:
            raise self._failure
        self._number += 1
        try:
            line = request(self._number, verb, *arguments)
        except WireError as error:
            raise broken(str(error)) from error
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = limit_bytes, answer
        try:
            await asyncio.shield(asyncio.create_task(self._send(line)))
            reply, data = await answer
        finally:
            answer.cancel()
        if reply.status is Status.ERR:
            refuse(reply)
        return reply, data

    async def close(self) -> None:
        """Close the channel; what still waits for a reply fails."""
        await self._channel.close()
        await self._reader

    async def _send(self, line: bytes) -> None:
        async with self._turn:
            try:
                await self._channel.write(line)
            except DeviceError as error:
                self._fail(lost(error.message))

    async def _read(self) -> None:
        try:
            while True:
                line = await self._channel.readline()
                if not line:
                    raise lost("the agent ended")
                await self._take(line)
        except WireError as error:
            self._fail(broken(str(error)))
        except DeviceError as error:
            self._fail(error)
        await self._channel.close()

    async def _take(self, line: bytes) -> None:
        reply = parse_reply(line)
        if reply.id not in self._waiting:
            raise WireError(f"a reply that nobody waits for: {line[:80]!a}")
        limit_bytes, answer = self._waiting[reply.id]
        if reply.size_bytes > limit_bytes:
            raise WireError(f"a reply with {reply.size_bytes} bytes, more than {limit_bytes}")
        data = await self._channel.readexactly(reply.size_bytes) if reply.size_bytes else b""
        del self._waiting[reply.id]
        if not answer.done():
            answer.set_result((reply, data))

    def _fail(self, error: DeviceError) -> None:
        self._failure = self._failure or error
        for _, answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._failure)
        self._waiting.clear()
