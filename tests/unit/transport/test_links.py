"""Links of a connection that are lost are closed with it: they may have jump hosts of their own."""

from __future__ import annotations

from typing import Any, cast

import pytest

from farm.errors import DeviceError
from farm.transport.faults import Peer
from farm.transport.route import Hop
from farm.transport.ssh import SshConnection

HOP = Hop(Peer("d", "d", "ssh d"), "d", (), {"host": "d", "port": 22, "username": "u"})


class Stub:
    """A link to a server that allows one program at a time."""

    host_key = "key"

    def __init__(self) -> None:
        self.is_lost = False
        self.is_closed = False
        self.programs = 0

    async def open(self, command: str) -> object | None:
        self.programs += 1
        return object() if self.programs == 1 else None

    async def close(self) -> None:
        self.is_closed = True


async def test_a_lost_link_does_not_count_as_open_and_is_closed_in_the_end() -> None:
    made: list[Stub] = []

    async def another() -> Any:
        made.append(Stub())
        return made[-1]

    first = Stub()
    connection = SshConnection(HOP, cast("Any", first), another)
    for _ in range(20):
        await connection.open(("true",))
        if made:
            made[-1].is_lost = True
    await connection.close()
    assert len(made) == 19
    assert all(one.is_closed for one in (first, *made))


async def test_links_that_live_are_limited() -> None:
    async def another() -> Any:
        return Stub()

    connection = SshConnection(HOP, cast("Any", Stub()), another)
    for _ in range(8):
        await connection.open(("true",))
    with pytest.raises(DeviceError, match="does not allow more programs"):
        await connection.open(("true",))
