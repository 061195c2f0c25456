"""Workers that die, freeze, or lose the store: nothing is lost, nothing doubled."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from farm.sim.device import SimulatedDevice
from farm.sim.fleet import fleet
from farm.sim.properties import Program, Properties
from tests.fleet.conftest import SLOW, WHOLE, Lab, kill, rounds_of, until
from tests.fleet.postgres import Postgres

pytestmark = pytest.mark.sshd


def lease_of(device: SimulatedDevice) -> str:
    return str(max((device.home / ".cache/farm/lease").glob("1*")).readlink())


async def until_in_a_round(device: SimulatedDevice, rounds: int) -> None:
    """So many rounds have begun."""
    await until(lambda: len(device.runs()) >= rounds, f"{device.name} began {len(device.runs())} rounds")


async def test_another_worker_of_the_site_goes_on_with_the_lane_of_a_killed_one(
    lab: Lab, devices: Path
) -> None:
    async with fleet({"board": SLOW}, devices) as running:
        board = running.devices["board"]
        assert (await lab.submit(running, "one")).code == 0
        first = lab.worker(running)
        await until_in_a_round(board, 3)
        second = lab.worker(running)
        await kill(first)
        fetched = await lab.fetch("one")
        ended = await lab.end(second)
        assert fetched.code == 0, fetched.stderr + ended.stderr
        assert "gives no sign of life: 1 of its lanes wait again" in ended.stderr
        assert len(board.runs()) == 6, "a finished round was run again"
        assert lease_of(board) == "free"
    assert rounds_of(fetched.results) == WHOLE
    assert fetched.results["status"] == "completed"


async def test_a_worker_that_was_killed_without_a_lane_does_not_stay_in_the_queue(
    lab: Lab, devices: Path
) -> None:
    async def until_there_are(count: int) -> None:
        for _ in range(150):
            queue = await lab("queue", "--json")
            if queue.code == 0 and len(queue.results["workers"]) == count:
                return
            await asyncio.sleep(0.2)
        raise AssertionError(f"there are not {count} workers in the queue")

    async with fleet({"board": SLOW}, devices) as running:
        shared = ("--artifacts", (lab.folder / "shared").as_uri())
        first, second = lab.worker(running, *shared), lab.worker(running, *shared)
        await until_there_are(2)
        await kill(first)
        await until_there_are(1)
        ended = await lab.end(second)
    assert "gives no sign of life: it had no lanes" in ended.stderr


@pytest.mark.long
async def test_a_worker_that_is_told_to_end_gives_its_lane_back_at_once(lab: Lab, devices: Path) -> None:
    async with fleet({"board": SLOW}, devices) as running:
        board = running.devices["board"]
        assert (await lab.submit(running, "one")).code == 0
        first = lab.worker(running)
        await until_in_a_round(board, 2)
        ended = await lab.end(first)
        assert ended.code == 130, ended.stderr
        assert lease_of(board) == "free"
        assert not board.running()
        waiting = await lab("queue", "--json")
        assert [(one["status"], one["device"]) for one in waiting.results["lanes"]] == [("waiting", "board")]
        assert waiting.results["workers"] == []
        drained = await lab.end_by_itself(lab.worker(running, "--drain"))
        assert drained.code == 0, drained.stderr
        fetched = await lab.fetch("one")
    assert rounds_of(fetched.results) == WHOLE


@pytest.mark.long
async def test_a_frozen_worker_that_wakes_up_doubles_no_round(lab: Lab, devices: Path) -> None:
    async with fleet({"board": SLOW}, devices) as running:
        board = running.devices["board"]
        assert (await lab.submit(running, "one")).code == 0
        frozen = lab.worker(running)
        try:
            await until_in_a_round(board, 3)
            os.kill(frozen.pid, signal.SIGSTOP)
            second = lab.worker(running)
            await until_in_a_round(board, 5)  # taken over
        finally:
            os.kill(frozen.pid, signal.SIGCONT)
        fetched = await lab.fetch("one")
        woken, other = await lab.end(frozen), await lab.end(second)
        assert fetched.code == 0, fetched.stderr + other.stderr
        assert "another worker has it now" in woken.stderr, woken.stderr + other.stderr
        assert lease_of(board) == "free"
        assert len(board.runs()) == 6
    assert rounds_of(fetched.results) == WHOLE
    assert fetched.results["status"] == "completed"


@pytest.mark.long
async def test_a_frozen_worker_that_wakes_up_in_a_round_leaves_the_device_to_its_successor(
    lab: Lab, devices: Path
) -> None:
    """Both wait for the same round then, under one lease; the one whose result is refused must not end it."""
    long = Properties(Program(latency_ms=800.0, pace=1.0))
    async with fleet({"board": long}, devices) as running:
        board = running.devices["board"]
        assert (await lab.submit(running, "one")).code == 0
        frozen = lab.worker(running)
        try:
            await until_in_a_round(board, 1)
            os.kill(frozen.pid, signal.SIGSTOP)
            second = lab.worker(running)
            await asyncio.sleep(12)
            assert len(board.runs()) == 1, "the round was to last longer"
        finally:
            os.kill(frozen.pid, signal.SIGCONT)
        fetched = await lab.fetch("one", patience_s=150)
        woken, other = await lab.end(frozen), await lab.end(second)
        assert fetched.code == 0, fetched.stderr + other.stderr
        assert "a round of this run still runs on it" in other.stderr
        assert "another worker has it now" in woken.stderr, woken.stderr + other.stderr
        assert "the lease ran out" not in other.stderr, "its lease was given back by the other"
        assert len(board.runs()) == 6
    assert rounds_of(fetched.results) == WHOLE


@pytest.mark.long
async def test_a_store_that_is_away_for_some_time_costs_no_round(
    lab: Lab, devices: Path, postgres: Postgres
) -> None:
    async with fleet({"board": SLOW}, devices) as running:
        board = running.devices["board"]
        assert (await lab.submit(running, "one")).code == 0
        worker = lab.worker(running)
        await until_in_a_round(board, 2)
        await asyncio.to_thread(postgres.stop)
        try:
            refused = await lab("queue")
            assert refused.code == 4
            assert "cannot be used" in refused.stderr
            assert "secret-of-the-store" not in refused.stderr
            await asyncio.sleep(5)
        finally:
            await asyncio.to_thread(postgres.start)
        fetched = await lab.fetch("one")
        ended = await lab.end(worker)
        assert fetched.code == 0, fetched.stderr + ended.stderr
        assert len(board.runs()) == 6
        assert "secret-of-the-store" not in ended.stderr
    assert rounds_of(fetched.results) == WHOLE


async def test_a_run_that_is_cancelled_while_a_step_ends_frees_its_device(lab: Lab, devices: Path) -> None:
    """The engine says then that the lane is no longer this worker's, as when another one has it."""
    quick = Properties(Program(latency_ms=2.0, pace=1.0))  # steps that end before a cancellation is seen
    async with fleet({"board": quick}, devices) as running:
        board = running.devices["board"]
        assert (await lab.submit(running, "one", "--rounds", "200")).code == 0
        worker = lab.worker(running)
        await until_in_a_round(board, 5)
        assert (await lab("runs", "cancel", "one")).code == 0
        await until(lambda: lease_of(board) == "free", "its device is not free")
        ended = await lab.end(worker)
    assert "another worker has it now" not in ended.stderr


@pytest.mark.long
async def test_a_cancelled_run_frees_its_device_and_keeps_what_was_measured(lab: Lab, devices: Path) -> None:
    async with fleet({"board": SLOW}, devices) as running:
        board = running.devices["board"]
        assert (await lab.submit(running, "one")).code == 0
        assert (await lab.submit(running, "two")).code == 0
        worker = lab.worker(running)
        await until_in_a_round(board, 3)
        cancelled = await lab("runs", "cancel", "one")
        assert "1 lanes cancelled" in cancelled.stdout
        second = await lab.fetch("two")
        ended = await lab.end(worker)
        assert second.code == 0, second.stderr + ended.stderr
        first = await lab.fetch("one")
        again = await lab("runs", "cancel", "one")
        assert "nothing was left" in again.stdout
    assert rounds_of(second.results) == WHOLE
    assert 2 <= len(rounds_of(first.results)) < 6
    assert {cell["status"] for cell in first.results["cells"]} <= {"cancelled", "completed"}
