"""One program on the device: bytes in, bytes out, over one SSH channel."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal

from farm.errors import DeviceError, Fault
from farm.transport.faults import Peer, failure, lost
from farm.transport.library import asyncssh

LINE_LIMIT_BYTES = 1 << 20
STDERR_LIMIT_BYTES = 1 << 16
_PIECE_BYTES = 1 << 16
_END_S = 0.5
"""How long a program may take to end with its input before its channel is closed."""

AnyChannel = asyncssh.SSHClientChannel[bytes] | asyncssh.SSHServerChannel[bytes]


def command_line(argv: tuple[str, ...]) -> str:
    """The one place where a command is quoted: each word means itself to the login shell of the device.

    Holds for every POSIX shell, zsh and fish, and for csh unless a word has a line break. Plain
    `shlex.join` does not: zsh expands an unquoted `=word`, fish and csh read backslash and `!` inside
    single quotes. Those three characters are put outside the quotes, after a backslash: all read it alike.
    """
    if not argv or any("\0" in word for word in argv):
        raise ValueError(f"not a command: {argv!r}")
    return "exec " + " ".join(
        "'" + re.sub(r"['\\!]", lambda found: f"'\\{found[0]}'", word) + "'" for word in argv
    )


class Stream:
    """The part of an SSH session that both ends share: a reader and a writer with back pressure."""

    def __init__(self) -> None:
        # asyncssh guarantees that connection_made is called first.
        self.channel: AnyChannel
        self.reader = asyncio.StreamReader(limit=LINE_LIMIT_BYTES)
        self.closed = asyncio.Event()
        self.saw_eof = False
        self._writable = asyncio.Event()
        self._writable.set()

    def attach(self, channel: AnyChannel) -> None:
        self.channel = channel
        # The reader uses only the next two methods of a transport.
        self.reader.set_transport(self)  # type: ignore[arg-type]

    def pause_reading(self) -> None:
        self.channel.pause_reading()

    def resume_reading(self) -> None:
        # Deferred, because asyncssh delivers its backlog at once, and the reader would miss data that arrives
        # (and pauses it again) before it starts to wait: it would never wake up.
        asyncio.get_running_loop().call_soon(self.channel.resume_reading)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def eof_received(self) -> bool:
        self.saw_eof = True
        self.reader.feed_eof()
        return True  # the other direction stays open

    def detach(self) -> None:
        self.reader.feed_eof()
        self._writable.set()
        self.closed.set()

    async def write(self, data: bytes, datatype: int | None = None) -> None:
        """Raises BrokenPipeError when the other side is gone."""
        view = memoryview(data)
        for start in range(0, len(view), _PIECE_BYTES):
            self.channel.write(bytes(view[start : start + _PIECE_BYTES]), datatype)
            await asyncio.sleep(0)  # other devices' tasks live on the same loop
            await self._writable.wait()

    async def drain(self) -> None:
        """Wait until everything written has left the buffer, or the channel is gone."""
        if self.closed.is_set():
            return
        self.channel.set_write_buffer_limits(0)
        await self._writable.wait()


class ClientSession(Stream, asyncssh.SSHClientSession[bytes]):
    """Buffers the program's output until it is read: stdout without loss, stderr up to its limit."""

    def __init__(self) -> None:
        super().__init__()
        self.stderr = bytearray()
        self.status: int | None = None
        self.ended = asyncio.Event()
        self.lost_by: BaseException | None = None

    @property
    def broken(self) -> bool:
        """The channel is gone, but not because the program ended."""
        return self.closed.is_set() and (self.lost_by is not None or self.status is None)

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.attach(chan)

    async def end(self) -> None:
        """Close the channel, after a moment for the program to end with its input: dropbear may lose the
        whole connection when a channel is closed under a program (2022.83: "Failed assertion").
        """
        try:
            if not self.closed.is_set():
                with contextlib.suppress(TimeoutError, OSError):
                    self.channel.write_eof()
                    async with asyncio.timeout(_END_S):
                        await self.closed.wait()
        finally:
            # `abort`, because `close` would wait for a window that a dead program never opens.
            self.channel.abort()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is None:
            self.reader.feed_data(data)
        else:
            self.stderr += data[: STDERR_LIMIT_BYTES - len(self.stderr)]

    def exit_status_received(self, status: int) -> None:
        self.status = status
        self.ended.set()

    def exit_signal_received(self, signal_name: str, core_dumped: bool, msg: str, lang: str) -> None:  # noqa: ARG002
        number = getattr(signal, f"SIG{signal_name}", 0)
        self.exit_status_received(128 + int(number))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_by = exc
        self.detach()
        self.ended.set()


class SshChannel:
    """See `farm.transport.base.Channel`."""

    def __init__(self, session: ClientSession, peer: Peer, close_s: float) -> None:
        self._session = session
        self._peer = peer
        self._close_s = close_s

    async def write(self, data: bytes) -> None:
        try:
            await self._session.write(data)
        except BrokenPipeError as error:
            raise self._gone() from error

    async def write_eof(self) -> None:
        self._session.channel.write_eof()

    async def readline(self) -> bytes:
        try:
            line = await self._session.reader.readline()
        except ValueError as error:
            raise failure(
                self._peer,
                "protocol",
                Fault.DEVICE,
                f"{{title}} sent a line of more than {LINE_LIMIT_BYTES} bytes",
            ) from error
        return line if line.endswith(b"\n") else self._last(line)

    async def readexactly(self, count: int) -> bytes:
        try:
            return await self._session.reader.readexactly(count)
        except asyncio.IncompleteReadError as error:
            raise lost(self._peer, self._session.lost_by or error) from error

    async def read(self, count: int = -1) -> bytes:
        data = await self._session.reader.read(count)
        return data if data and count > 0 else self._last(data)

    async def wait(self) -> int:
        await self._session.ended.wait()
        if self._session.status is None:
            raise lost(self._peer, self._session.lost_by)
        return self._session.status

    async def stderr(self) -> bytes:
        if self._session.ended.is_set():
            # The last output may still be in transit; for a reader of stdout it arrives within moments.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._close_s):
                    await self._session.closed.wait()
        return bytes(self._session.stderr)

    async def close(self) -> None:
        session = self._session
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._close_s):
                    await session.drain()
        finally:
            await session.end()

    def _last(self, data: bytes) -> bytes:
        """`data` was the last of the stream: fine at its end, an error when the connection broke."""
        if self._session.broken and not self._session.saw_eof:
            raise lost(self._peer, self._session.lost_by)
        return data

    def _gone(self) -> DeviceError:
        if self._session.broken:
            return lost(self._peer, self._session.lost_by)
        return failure(
            self._peer,
            "program-ended",
            Fault.DEVICE,
            "the program on {title} ended and does not read its input any more",
        )
