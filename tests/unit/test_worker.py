"""Work in a process of its own."""

from __future__ import annotations

import asyncio
import os
import runpy
import signal
from pathlib import Path

import pytest
from anyio import to_process

import farm
from farm.worker import WorkerError, in_worker


def busy(told: Path) -> None:
    """Holds the interpreter's lock for ever."""
    told.write_text(str(os.getpid()))
    while True:
        pass


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def pid_of(told: Path) -> int:
    while not (told.exists() and told.read_text()):
        await asyncio.sleep(0.02)
    return int(told.read_text())


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] in "ZX"
    except OSError:
        return True


async def gone(pid: int) -> None:
    while not is_gone(pid):
        await asyncio.sleep(0.02)


async def test_the_result_and_the_errors_of_the_work_come_back() -> None:
    assert await in_worker(60, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await in_worker(60, divmod, 7, 0)


async def test_the_event_loop_goes_on_while_a_worker_is_busy(tmp_path: Path) -> None:
    work = asyncio.create_task(in_worker(60, busy, tmp_path / "pid"))
    pid = await pid_of(tmp_path / "pid")
    assert pid != os.getpid()
    for _ in range(20):
        await asyncio.sleep(0.01)
    assert not work.done()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await gone(pid)


async def test_work_that_takes_too_long_is_killed_and_named(tmp_path: Path) -> None:
    work = asyncio.create_task(in_worker(2, busy, tmp_path / "pid"))
    pid = await pid_of(tmp_path / "pid")
    with pytest.raises(WorkerError, match="longer than 2 s"):
        await work
    await gone(pid)


async def test_a_worker_that_is_killed_fails_its_work_and_not_the_next() -> None:
    with pytest.raises(WorkerError, match="process ended"):
        await in_worker(60, killed)
    assert await in_worker(60, divmod, 7, 2) == (3, 1)


async def test_work_that_waits_for_its_turn_is_not_late(tmp_path: Path) -> None:
    to_process.current_default_process_limiter().total_tokens = 1
    first = asyncio.create_task(in_worker(60, busy, tmp_path / "pid"))
    pid = await pid_of(tmp_path / "pid")
    second = asyncio.create_task(in_worker(0.1, divmod, 7, 2))
    await asyncio.sleep(0.5)
    assert not second.done()
    for work in (second, first):
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    await gone(pid)


def test_a_worker_of_python_dash_m_farm_begins_no_farm_of_its_own() -> None:
    """A worker's process runs its parent's main file again, under this name."""
    runpy.run_path(str(Path(farm.__file__).with_name("__main__.py")), run_name="__mp_main__")
