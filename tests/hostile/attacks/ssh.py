"""Lies of the SSH server itself."""

from __future__ import annotations

import asyncio
import contextlib
import struct

import asyncssh
from asyncssh.packet import Boolean, String, UInt32

from tests.hostile.attack import Attack
from tests.hostile.attacks.payloads import BOTH, NOT_UTF8

VERSION = b"SSH-2.0-hostile\r\n"
NOISE = BOTH.encode("utf-8", "surrogateescape")
MIB = 1 << 20
DISCONNECT, GLOBAL_REQUEST, CHANNEL_OPEN = 1, 80, 90
WINDOW_ADJUST, DATA, EXTENDED, REQUEST = 93, 94, 95, 98


def says(*pieces: bytes, again: bytes = b"", waits: bool = False):
    """These bytes on the TCP connection, then `again` for as long as somebody reads."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        while again and not writer.is_closing():  # write and drain do not say that it is lost
            writer.write(again)
            await writer.drain()
        if waits:
            await asyncio.sleep(3600)
        await asyncio.sleep(0.1)

    return serve


def packet(*parts: bytes) -> bytes:
    """In clear, as before the keys are exchanged."""
    payload = b"".join(parts)
    padding = 8 - (len(payload) + 5) % 8 + 8
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + b"\0" * padding


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


async def global_requests(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Among them new host keys, which a client must not take for its own."""
    connection = process.channel.get_connection()
    for name in (
        b"hostkeys-00@openssh.com",
        b"tcpip-forward",
        b"x" * 10_000,
        NOISE,
        b"keepalive@openssh.com",
    ) * 200:
        connection.send_packet(GLOBAL_REQUEST, String(name), Boolean(True), String(b"x" * 100))


async def channels(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """To the client's agent, display, files and network."""
    connection = process.channel.get_connection()
    kinds = (
        b"auth-agent@openssh.com",
        b"x11",
        b"session",
        b"direct-tcpip",
        b"direct-streamlocal@openssh.com",
        NOISE,
    )
    for number, kind in enumerate(kinds * 50):
        connection.send_packet(
            CHANNEL_OPEN,
            String(kind),
            UInt32(1000 + number),
            UInt32(1 << 20),
            UInt32(1 << 15),
            String(b"127.0.0.1"),
            UInt32(22),
            String(b"127.0.0.1"),
            UInt32(22),
        )


async def stderr(process: asyncssh.SSHServerProcess[bytes]) -> None:
    for _ in range(4):
        process.stderr.write(NOISE * (MIB // len(NOISE)))
        await process.stderr.drain()


async def stderr_and_end(process: asyncssh.SSHServerProcess[bytes]) -> None:
    process.stderr.write(NOISE + NOT_UTF8)
    process.exit(1 << 31)
    raise ConnectionError


async def signal(process: asyncssh.SSHServerProcess[bytes]) -> None:
    process.channel.exit_with_signal("KILL", True, BOTH, "x\x1b[2J")
    raise ConnectionError


async def requests(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """What only clients ask for, and what nobody does."""
    channel = process.channel
    for name in (
        b"auth-agent-req@openssh.com",
        b"x11-req",
        b"pty-req",
        b"exec",
        b"subsystem",
        b"env",
        NOISE,
    ) * 50:
        channel.send_packet(REQUEST, String(name), Boolean(True), String(b"touch escaped"))


async def extended(process: asyncssh.SSHServerProcess[bytes]) -> None:
    for kind in (0, 2, 0xFFFFFFFF):
        process.channel.send_packet(EXTENDED, UInt32(kind), String(NOISE))


async def window(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """More data than the client said that it takes: 4 MiB at once."""
    for _ in range(128):
        process.channel.send_packet(DATA, String(b"x" * (1 << 15)))
    await asyncio.sleep(0)


async def growing(process: asyncssh.SSHServerProcess[bytes]) -> None:
    for _ in range(100):
        process.channel.send_packet(WINDOW_ADJUST, UInt32(0xFFFFFFFF))


async def after_the_end(process: asyncssh.SSHServerProcess[bytes]) -> None:
    with contextlib.suppress(OSError):
        process.stdout.write_eof()
    process.channel.send_packet(DATA, String(b"\nfarm-agent 1 42 /w\n"))


ATTACKS = (
    Attack("ssh-silent", "TCP and not a word", raw=says(waits=True), is_slow=True),
    Attack("ssh-closes", "TCP that is closed at once", raw=says()),
    Attack("ssh-lines-first", "lines for ever before its version", raw=says(again=NOISE.replace(b"\n", b"") + b"\r\n")),
    Attack("ssh-version-long", "a version of 4 MiB", raw=says(b"SSH-2.0-", again=b"x" * 4096)),
    Attack("ssh-version-escapes", "escapes and markup for a version", raw=says(b"SSH-2.0-" + NOISE + b"\r\n", waits=False)),
    Attack("ssh-version-1", "version 1", raw=says(b"SSH-1.5-old\r\n")),
    Attack("ssh-http", "a web server", raw=says(b"HTTP/1.1 400 Bad\r\nContent-Type: text/html\r\n\r\n" + NOISE)),
    Attack("ssh-garbage", "bytes of all kinds in the place of packets", raw=says(VERSION, bytes(range(256)) * 400)),
    Attack("ssh-packet-huge", "a packet of 4 GiB", raw=says(VERSION, b"\xff\xff\xff\xff", again=b"x" * 65536)),
    Attack("ssh-disconnect", "a goodbye of markup and escapes", raw=says(VERSION, packet(bytes([DISCONNECT]), struct.pack(">I", 2), string(NOISE), string(b"\x1b[2J")))),
    Attack("ssh-disconnect-bytes", "a goodbye that is no text", raw=says(VERSION, packet(bytes([DISCONNECT]), struct.pack(">I", 0xFFFFFFFF), string(NOT_UTF8), string(NOT_UTF8)))),
    Attack("ssh-kex-empty", "no algorithm at all", raw=says(VERSION, packet(bytes([20]), b"\0" * 16, string(b"") * 10, b"\0" * 5))),
    Attack("ssh-kex-long", "algorithms of 200 KiB", raw=says(VERSION, packet(bytes([20]), b"\0" * 16, string(b"a," * 10_000) * 10, b"\0" * 5))),
    Attack("ssh-banner", "a banner of 1 MiB of markup and escapes", banner=BOTH * (200_000 // len(BOTH)), fails=None),
    Attack("ssh-global-requests", "a thousand global requests, new host keys among them", started=global_requests, fails=None),
    Attack("ssh-channels", "channels to agent, display and network of the client", started=channels, fails=None),
    Attack("ssh-requests", "requests that only clients make", started=requests, fails=None),
    Attack("ssh-stderr", "4 MiB of stderr at each program", started=stderr, fails=None),
    Attack("ssh-exit-status", "a status of 2^31 with markup", started=stderr_and_end),
    Attack("ssh-exit-signal", "a signal with markup", started=signal),
    Attack("ssh-extended", "streams that there are not", started=extended, fails=None),
    Attack("ssh-window", "more data than the window allows", started=window),
    Attack("ssh-window-grows", "a window beyond 2^32", started=growing, fails=None),
    Attack("ssh-after-eof", "data after their end", started=after_the_end, fails=None),
)  # fmt: skip
