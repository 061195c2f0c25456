"""Many pages cost one look, and each is told what is new to it."""

from __future__ import annotations

import asyncio

import pytest

from farm.serve.live import changes
from farm.serve.nouns import Page
from farm.serve.topic import LateError, Topic


def page(**pieces: str) -> Page:
    return Page({"rows": pieces})


async def test_many_readers_cost_one_look() -> None:
    looks = 0

    async def look() -> Page:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.01)
        return page(a=str(looks))

    topic = Topic(look, 60, 20, "late")
    assert {id(one) for one in await asyncio.gather(*(topic.now() for _ in range(100)))} != set()
    assert looks == 1


async def test_a_slow_reader_gets_the_newest_and_not_all_that_was_missed() -> None:
    number = 0

    async def look() -> Page:
        return page(a=str(number))

    topic, closing = Topic(look, 0, 20, "late"), asyncio.Event()
    pages = topic.pages(closing)
    assert await anext(pages) == page(a="0")
    for _ in range(5):
        number += 1
        await topic.now()
    assert await anext(pages) == page(a="5")
    closing.set()
    with pytest.raises(StopAsyncIteration):
        await anext(pages)


async def test_a_look_that_hangs_is_begun_once_and_the_last_page_stays() -> None:
    begun, ends = 0, asyncio.Event()

    async def look() -> Page:
        nonlocal begun
        begun += 1
        if begun > 1:
            await ends.wait()
        return page(a=str(begun))

    topic = Topic(look, 0.0, 0.01, "late")
    first = await topic.now()
    assert [await topic.now() for _ in range(5)] == [first] * 5
    assert begun == 2
    ends.set()
    await asyncio.sleep(0)
    topic._every_s = 60.0
    assert await topic.now() == page(a="2")  # what nobody waited for to its end is not lost


async def test_where_there_is_no_page_in_time_it_is_said() -> None:
    topic = Topic(asyncio.Event().wait, 0, 0.01, "the disk hangs")  # type: ignore[arg-type]
    with pytest.raises(LateError, match="the disk hangs"):
        await topic.now()
    assert topic._looking is not None
    topic._looking.cancel()


def test_only_what_is_new_is_told_and_the_order_where_it_changed() -> None:
    before = page(a="1", b="2")
    assert changes(None, before) == {"rows": {"set": {"a": "1", "b": "2"}, "order": ["a", "b"]}}
    assert changes(before, before) == {}
    assert changes(before, page(a="1", b="3")) == {"rows": {"set": {"b": "3"}}}
    assert changes(before, page(c="9", a="1")) == {"rows": {"set": {"c": "9"}, "order": ["c", "a"]}}
    assert changes(before, page()) == {"rows": {"set": {}, "order": []}}
