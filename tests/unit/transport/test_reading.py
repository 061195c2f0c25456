"""Small files that are read in one thread at a time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from farm.transport import reading
from farm.transport.reading import in_turn


async def test_files_are_read_one_at_a_time_in_the_order_of_the_calls():
    order: list[int] = []
    inside = threading.Lock()

    def read(number: int) -> int:
        assert inside.acquire(blocking=False)
        order.append(number)
        inside.release()
        return number

    assert await asyncio.gather(*(in_turn(read, number) for number in range(50))) == list(range(50))
    assert order == list(range(50))
    assert await in_turn(read, 50) == 50  # when nothing waited any more


async def test_an_error_is_that_of_who_asked_and_the_next_is_read_all_the_same():
    first, second = await asyncio.gather(in_turn(int, "x"), in_turn(int, "7"), return_exceptions=True)
    assert isinstance(first, ValueError)
    assert second == 7


async def test_behind_a_file_that_hangs_nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "TURN_S", 0.05)
    hangs = threading.Event()
    stuck = asyncio.create_task(in_turn(hangs.wait))
    await asyncio.sleep(0)
    assert await asyncio.gather(*(in_turn(int, str(number)) for number in range(3))) == [0, 1, 2]
    assert not stuck.done()
    monkeypatch.setattr(reading, "TURN_S", 60.0)
    assert await in_turn(int, "3") == 3  # nobody stands behind it again
    hangs.set()
    assert await stuck is True
    assert await in_turn(int, "4") == 4


async def test_what_nobody_waits_for_any_more_is_not_read():
    hangs, read = threading.Event(), threading.Event()
    stuck = asyncio.create_task(in_turn(hangs.wait))
    left = asyncio.create_task(in_turn(read.set))
    await asyncio.sleep(0.01)
    left.cancel()
    await asyncio.wait((left,))
    hangs.set()
    await stuck
    await in_turn(int, "0")
    assert not read.is_set()
