"""A TCP proxy that misbehaves on demand: delay, little bandwidth, cut, stall, half-open, refuse."""

from __future__ import annotations

import asyncio
import socket
import struct
from types import TracebackType
from typing import Self

_PIECE_BYTES = 1 << 16


class ChaosProxy:
    """`async with ChaosProxy(port) as proxy:` forwards `proxy.port` on loopback to `port`.

    Counts what goes through in `connections`, `bytes_up` (to the server) and `bytes_down`. `cut_after_bytes`
    breaks a connection once that many bytes went through it in both directions together; it is used up then.
    """

    def __init__(self, port: int, *, host: str = "127.0.0.1", delay_s: float = 0.0) -> None:
        self._target = (host, port)
        self.delay_s = delay_s
        self.bytes_per_s: float | None = None
        """In each direction of each connection; None: as many as there are."""
        self.cut_after_bytes: int | None = None
        self.slam = 0
        self.port = 0
        self.connections = 0
        self.bytes_up = 0
        self.bytes_down = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accept(self) -> None:
        """Take new connections (again), on the same port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._begin, self._target[0], self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """New connections are refused; those that are open stay."""
        if self._server is not None:
            self._server.close()
            self._server = None
            await asyncio.sleep(0)

    def stall(self) -> None:
        """Nothing goes through any more, and nobody is told: a black hole."""
        self._flowing.clear()

    def resume(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Reset all connections on both sides."""
        for client, server in self._lines.values():
            _reset(client)
            _reset(server)

    def half_open(self) -> None:
        """The server's side is gone, the client's stays open and silent: a host that lost its power."""
        self.stall()
        for _, server in self._lines.values():
            _reset(server)

    def slam_next(self, count: int) -> None:
        """The next `count` connections are closed as soon as they are made, as by sshd's MaxStartups."""
        self.slam = count

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: one that asyncio makes complains when it is cancelled.
        task = asyncio.create_task(self._line(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections += 1
        if self.slam:
            self.slam -= 1
            writer.close()
            return
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        self._lines[task] = (writer, server_writer)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, server_writer, up=True))
                pumps.create_task(self._pump(server_reader, writer, up=False))
        except* OSError:  # one side is gone: the other is told
            pass
        finally:
            del self._lines[task]
            for one in (writer, server_writer):
                one.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        while data := await reader.read(_PIECE_BYTES):
            await self._flowing.wait()
            await asyncio.sleep(self.delay_s + (len(data) / self.bytes_per_s if self.bytes_per_s else 0.0))
            writer.write(data)
            await writer.drain()
            if up:
                self.bytes_up += len(data)
            else:
                self.bytes_down += len(data)
            if self.cut_after_bytes is not None and self.bytes_up + self.bytes_down > self.cut_after_bytes:
                self.cut_after_bytes = None
                self.cut()
        await self._flowing.wait()
        if writer.can_write_eof():
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN: linger on, for no time."""
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
