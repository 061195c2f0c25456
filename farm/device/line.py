"""Requests and replies over one channel to the agent."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from farm.device.faults import broken, late, lost, refuse
from farm.device.wire import Reply, Status, WireError, parse_reply, request
from farm.errors import DeviceError
from farm.model.limits.deadlines import Deadlines
from farm.transport.base import Channel

Answer = tuple[Reply, bytes]
PIECE_BYTES = 1 << 16


@dataclass(frozen=True)
class _Call:
    """A request without its reply yet. `deadline` names how long it may take; None is for ever."""

    verb: str
    limit_bytes: int
    deadline: str | None
    answer: asyncio.Future[Answer]


class Line:
    """Calls may overlap: they are sent in order, those of one moment together, and each gets the reply with
    its number, whenever it comes.

    A call that is cancelled is still sent whole and its reply is read, so that the line stays in step. A line
    that breaks, or on which something else than replies comes, or a reply too late, is closed: all calls that
    wait fail, and so do later ones. A call's deadline begins when all that were made before are answered.
    """

    def __init__(self, channel: Channel, deadlines: Deadlines) -> None:
        self._channel = channel
        self._deadlines = deadlines
        self._number = 0
        self._unsent = bytearray()
        self._waiting: dict[int, _Call] = {}
        self._failure: DeviceError | None = None
        self._timer: tuple[_Call, asyncio.TimerHandle] | None = None
        self._taking = False
        self.moved_at = -math.inf
        """When the last bytes of a transfer moved, by the loop's clock."""
        self.beside: Line | None = None
        """Another line on the same connection: a reply may stand behind the bytes that it moves."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.heard_at = asyncio.get_running_loop().time()
        """When the last reply came, by the loop's clock."""
        self._reader = asyncio.create_task(self._read(), name="replies of an agent")

    @property
    def is_busy(self) -> bool:
        """Whether a request has no reply yet, be it one that nobody waits for any more."""
        return bool(self._waiting)

    async def call(
        self, verb: str, *arguments: str, limit_bytes: int = 0, deadline: str | None = "reply"
    ) -> Answer:
        """The reply and the bytes that follow it, at most `limit_bytes`. An `err` is raised as well."""
        if self._failure is not None:
            raise self._failure
        self._number += 1
        try:
            line = request(self._number, verb, *arguments)
        except WireError as error:
            raise broken(str(error)) from error
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = _Call(verb, limit_bytes, deadline, answer)
        self._watch()
        self._unsent += line
        if len(self._unsent) == len(line):
            self._background(self._send())
        try:
            reply, data = await answer
        finally:
            answer.cancel()
        if reply.status is Status.ERR:
            refuse(reply)
        return reply, data

    def moved(self) -> None:
        """Bytes of a transfer moved."""
        self.moved_at = asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Close the channel; what still waits for a reply fails."""
        await self._channel.close()
        await self._reader

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        """It goes on when the caller is cancelled."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self) -> None:
        """What was asked meanwhile goes together: each packet costs both ends more than its bytes."""
        try:
            while self._unsent:
                lines = bytes(self._unsent)
                await self._channel.write(lines)
                del self._unsent[: len(lines)]
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
        call = self._waiting[reply.id]
        if reply.size_bytes > call.limit_bytes:
            raise WireError(f"a reply with {reply.size_bytes} bytes, more than {call.limit_bytes}")
        if self._timer is not None and self._timer[0] is call:
            self._unwatch()
        self._taking = True
        data = await self._data(call, reply.size_bytes)
        self._taking = False
        del self._waiting[reply.id]
        self.heard_at = asyncio.get_running_loop().time()
        self._watch()
        if not call.answer.done():
            call.answer.set_result((reply, data))

    async def _data(self, call: _Call, size_bytes: int) -> bytes:
        pieces = []
        while size_bytes:
            try:
                async with asyncio.timeout(self._deadlines.transfer_stall_s):
                    pieces.append(await self._channel.readexactly(min(size_bytes, PIECE_BYTES)))
            except TimeoutError:
                raise late(
                    f"no more of the reply to {call.verb}", self._deadlines, "transfer-stall"
                ) from None
            size_bytes -= len(pieces[-1])
            self.moved()
        return b"".join(pieces)

    def _watch(self) -> None:
        """The agent answers in turn: the oldest call is the one that is waited for. While its bytes come,
        each piece of them has a deadline.
        """
        if self._taking or self._failure is not None:
            return
        oldest = next(iter(self._waiting.values()), None)
        if self._timer is not None and self._timer[0] is oldest:
            return
        self._unwatch()
        if oldest is not None and oldest.deadline is not None:
            self._arm(oldest, asyncio.get_running_loop().time() + self._deadlines.seconds(oldest.deadline))

    def _arm(self, call: _Call, when: float) -> None:
        self._timer = call, asyncio.get_running_loop().call_at(when, self._late, call)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer[1].cancel()
            self._timer = None

    def _late(self, call: _Call) -> None:
        assert call.deadline is not None
        moved_at = max(line.moved_at for line in (self, self.beside) if line is not None)
        when = moved_at + self._deadlines.seconds(call.deadline)
        if when > asyncio.get_running_loop().time():
            self._arm(call, when)
            return
        self._fail(late(f"no reply from the agent to {call.verb}", self._deadlines, call.deadline))
        self._background(self._channel.close())

    def _fail(self, error: DeviceError) -> None:
        self._failure = self._failure or error
        self._unwatch()
        for call in self._waiting.values():
            if not call.answer.done():
                call.answer.set_exception(self._failure)
        self._waiting.clear()
