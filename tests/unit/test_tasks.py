"""A task is ended, and who ends it may be cancelled."""

from __future__ import annotations

import asyncio

import pytest

from farm.tasks import ended


async def slow_to_end(began: asyncio.Event) -> None:
    try:
        began.set()
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.2)


async def test_a_task_has_ended_when_it_is_told_so() -> None:
    began = asyncio.Event()
    task = asyncio.create_task(slow_to_end(began))
    await began.wait()
    await ended(task)
    assert task.cancelled()


async def test_who_ends_a_task_is_cancelled_while_it_waits() -> None:
    began, went_on = asyncio.Event(), False

    async def end() -> None:
        nonlocal went_on
        await ended(task)
        went_on = True

    task = asyncio.create_task(slow_to_end(began))
    await began.wait()
    ending = asyncio.create_task(end())
    await asyncio.sleep(0.05)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert not went_on
    await asyncio.wait({task})


async def fails() -> None:
    raise LookupError("a bug")


@pytest.mark.parametrize("expected", [(), (ValueError,), (LookupError,)])
async def test_what_a_task_raised_is_raised_unless_it_is_expected(
    expected: tuple[type[Exception], ...],
) -> None:
    task = asyncio.create_task(fails())
    await asyncio.wait({task})
    if LookupError in expected:
        await ended(task, *expected)
        return
    with pytest.raises(LookupError):
        await ended(task, *expected)
