"""Connections that are begun before somebody asks for them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from farm.errors import DeviceError
from farm.transport.pool import open_transports
from tests import servers


@pytest.fixture
def server(tmp_path):
    with servers.sshd(tmp_path / "s") as running:
        yield running


@asynccontextmanager
async def opened(server, tmp_path):
    pins = servers.known_hosts(tmp_path / "pins", server)
    device = server.device("d")
    async with open_transports([device], known_hosts=pins) as transports:
        transports.connect_ahead()
        yield transports.to(device)


async def sessions_are(server, count):
    async with asyncio.timeout(10):
        while len(server.sessions()) != count:
            await asyncio.sleep(0.01)


async def test_the_connection_that_was_begun_is_the_one_that_is_had_and_the_next_is_a_new_one(
    server, tmp_path
):
    async with opened(server, tmp_path) as transport:
        await sessions_are(server, 1)
        first = await transport.connect()
        await sessions_are(server, 1)
        second = await transport.connect()
        await sessions_are(server, 2)  # a login is two processes for a moment
        channel = await first.open(("echo", "here"))
        assert await channel.readline() == b"here\n"
        await channel.close()
        await first.close()
        await second.close()
    await sessions_are(server, 0)


async def test_one_that_nobody_asked_for_is_closed_at_the_end(server, tmp_path):
    async with opened(server, tmp_path):
        await sessions_are(server, 1)
    await sessions_are(server, 0)


async def test_one_that_is_under_way_at_the_end_leaves_nothing(server, tmp_path):
    async with opened(server, tmp_path):
        await asyncio.sleep(0)
    await sessions_are(server, 0)


@pytest.mark.parametrize("is_connected", [False, True])
async def test_who_is_cancelled_while_it_waits_for_one_leaves_nothing(server, tmp_path, is_connected):
    async with opened(server, tmp_path) as transport:
        waiting: asyncio.Task[object]
        if is_connected:  # in the very moment in which it comes
            transport._first.add_done_callback(lambda _: waiting.cancel())
        waiting = asyncio.create_task(transport.connect())
        await asyncio.sleep(0)
        if not is_connected:
            waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        await sessions_are(server, 0)
        another = await transport.connect()
        await another.close()


async def test_its_error_is_told_to_who_asks_and_to_nobody_else(server, tmp_path):
    (tmp_path / "no pins").touch()
    device = server.device("d")
    async with open_transports([device], known_hosts=tmp_path / "no pins") as transports:
        transports.connect_ahead()
        await asyncio.sleep(0.5)
        with pytest.raises(DeviceError) as refused:
            await transports.to(device).connect()
        assert refused.value.cause == "host-key-unknown"
    async with open_transports([device], known_hosts=tmp_path / "no pins") as transports:
        transports.connect_ahead()
        await asyncio.sleep(0.5)
