"""Traps of the engine, each with what farm does about it; others are in the files beside this one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from farm.fleet.nouns import store_url
from farm.fleet.worker import MOST_ATTEMPTS
from farm.sim.fleet import fleet
from farm.sim.properties import Program, Properties
from tests.fleet.conftest import SLOW, WHOLE, Lab, kill, rounds_of, until

pytestmark = pytest.mark.sshd
MOST_CONNECTIONS = 10
"""Of a worker, as docs/how-to/fleet.md says."""


def asked(lab: Lab, text: str) -> list[Any]:
    engine = sa.create_engine(store_url(lab.url).url.set(drivername="postgresql+psycopg"))
    try:
        with engine.begin() as connection:
            done = connection.execute(sa.text(text))
            return [tuple(row) for row in done] if done.returns_rows else []
    finally:
        engine.dispose()


async def owners(lab: Lab) -> list[Any]:
    text = "SELECT status, queue_name, executor_id FROM dbos.workflow_status WHERE name = 'farm.lane'"
    return await asyncio.to_thread(asked, lab, text)


@pytest.mark.long
async def test_a_lane_of_a_dead_worker_stays_at_its_site(lab: Lab, devices: Path) -> None:
    """A lane that the engine resumes without its queue is anybody's."""
    near = Properties(Program(latency_ms=20.0, pace=1.0), entry=(("site", "near"),))
    async with fleet({"board": near}, devices) as running:
        board = running.devices["board"]
        assert (await lab.submit(running, "one")).code == 0
        first = lab.worker(running, "--site", "near")
        await until(lambda: len(board.runs()) >= 2, "it does not begin")
        far = lab.worker(running, "--site", "far")
        await asyncio.sleep(4)
        await kill(first)
        before = await owners(lab)
        await asyncio.sleep(9)  # twice the time to live
        assert await owners(lab) == before, "a worker of another site took it over"
        second = lab.worker(running, "--site", "near")
        fetched = await lab.fetch("one")
        ended = [await lab.end(one) for one in (far, second)]
        assert fetched.code == 0, fetched.stderr + "".join(one.stderr for one in ended)
        assert len(board.runs()) == 6, "a finished round was run again"
        assert {queue for _, queue, _ in await owners(lab)} == {"site-near"}
    assert rounds_of(fetched.results) == WHOLE


async def test_a_worker_with_many_lanes_has_no_more_connections_than_the_page_says(
    lab: Lab, devices: Path
) -> None:
    names = [f"b{number}" for number in range(6)]
    async with fleet(dict.fromkeys(names, SLOW), devices) as running:
        assert (await lab.submit(running, "one")).code == 0
        worker = lab.worker(running)
        await until(lambda: all(running.devices[name].runs() for name in names), "they do not begin")
        text = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        most = 0
        for _ in range(20):
            [(count,)] = await asyncio.to_thread(asked, lab, text)
            most = max(most, count)
            await asyncio.sleep(0.1)
        await lab.end(worker)
    assert 0 < most <= MOST_CONNECTIONS
    page = (Path(__file__).parents[2] / "docs/how-to/fleet.md").read_text("utf-8")
    assert "A worker has about ten connections" in page


async def test_a_lane_whose_workers_died_too_often_is_given_up_and_the_others_go_on(
    lab: Lab, devices: Path
) -> None:
    async with fleet({"board": Properties(), "other": Properties()}, devices) as running:
        assert (await lab.submit(running, "one")).code == 0
        text = f"UPDATE dbos.workflow_status SET recovery_attempts = {MOST_ATTEMPTS + 1}"
        asked(lab, f"{text} WHERE workflow_uuid = 'one/board'")
        ended = await lab.end_by_itself(lab.worker(running, "--drain"))
        assert ended.code == 0, ended.stderr
        fetched = await lab.fetch("one")
        assert fetched.code == 3, fetched.stderr + ended.stderr
        assert not running.devices["board"].runs()
    assert rounds_of(fetched.results, "other") == WHOLE
    causes = {cell["cause"] for cell in fetched.results["cells"] if cell["device"] == "board"}
    assert causes == {"lane-failed"}
