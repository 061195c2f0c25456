"""Nightlies in the engine: whoever comes first begins one, and nobody else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from farm.errors import RequestError
from farm.fleet.nightlies.fire import fire, renamed
from farm.fleet.nightlies.kept import schedules
from farm.fleet.nightlies.times import missed, next_s, require_cron, shown, zone_of
from farm.fleet.nouns import store_url
from farm.fleet.shelf import shelf_of
from farm.model.limits.deadlines import Deadlines
from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Properties
from tests.fleet.conftest import ASKED, WHOLE, Lab, rounds_of, until

BERLIN = ZoneInfo("Europe/Berlin")


async def add(lab: Lab, running: Fleet, name: str, *words: str) -> None:
    given = ("schedule", "add", name, "--cron", "0 2 * * *", "--inventory", str(running.inventory), *ASKED)
    done = await lab(*given, "--artifacts", (lab.folder / "shared").as_uri(), *words)
    assert done.code == 0, done.stderr


def moved(lab: Lab, name: str, by_s: int) -> None:
    """Its next time is so long from now."""
    engine = sa.create_engine(store_url(lab.url).url.set(drivername="postgresql+psycopg"))
    at_s = int(datetime.now(UTC).timestamp()) + by_s
    with engine.begin() as connection:
        asked = sa.text("UPDATE farm_schedules SET next_s = :at WHERE name = :name")
        connection.execute(asked, {"at": at_s, "name": name})
    engine.dispose()


async def begun(lab: Lab, name: str) -> list[str]:
    audit: Any = (await lab("queue", "--audit", "--json")).results
    return [one["run"] for one in audit if one["did"] == "fire" and name in one["detail"]]


@pytest.mark.sshd
async def test_two_workers_begin_one_nightly_once(lab: Lab, devices: Path) -> None:
    async with fleet({"board": Properties()}, devices) as running:
        await add(lab, running, "night")
        workers = [lab.worker(running), lab.worker(running)]
        await until(lambda: any((lab.folder / "cache/fleet").glob("*/.alive")), "no worker")
        assert (await lab("schedule", "run", "night")).code == 0
        listed: Any = []
        for _ in range(60):
            listed = (await lab("schedule", "list", "--json")).results
            if listed[0]["last_run"]:
                break
            await asyncio.sleep(0.5)
        run = str(listed[0]["last_run"])
        fetched = await lab.fetch(run)
        ended = [await lab.end(worker) for worker in workers]
        assert fetched.code == 0, fetched.stderr + "".join(one.stderr for one in ended)
        assert await begun(lab, "night") == [run]
    assert rounds_of(fetched.results) == WHOLE
    assert fetched.results["run_id"] == run


async def test_many_that_look_at_the_same_moment_begin_it_once(lab: Lab, devices: Path) -> None:
    """Threads with a store each, in the place of workers: they look within milliseconds."""
    from farm.fleet.database import Store

    async with fleet({"board": Properties()}, devices) as running:
        await add(lab, running, "night")
    shelf = shelf_of((lab.folder / "shared").as_uri())
    for turn in range(3):
        moved(lab, "night", -3 * 86400 - turn)
        stores = [Store(store_url(lab.url), Deadlines()) for _ in range(4)]
        found = await asyncio.gather(*(asyncio.to_thread(fire, one, shelf, lambda _: None) for one in stores))
        runs = [run for each in found for run in each]
        listed: Any = (await lab("schedule", "list", "--json")).results
        told = listed[0]["last_how"]
        if turn == 0:
            assert len(runs) == 1
            assert "made up once for 4 times" in told or "made up once for 3 times" in told
        else:  # the first run of it waits still
            assert runs == []
            assert "was left out: 1 lanes" in told
        for one in stores:
            one.close()
    queued = await lab("queue", "--json")
    assert len(queued.results["lanes"]) == 1, "they piled up"


async def test_a_schedule_of_lost_files_is_told_and_the_others_do_not_wait(lab: Lab, devices: Path) -> None:
    from farm.fleet.database import Store

    async with fleet({"board": Properties()}, devices) as running:
        await add(lab, running, "broken", "--iter", "7")
        await add(lab, running, "sound")
    store = Store(store_url(lab.url), Deadlines())
    [broken] = [one for one in schedules(store) if one.name == "broken"]
    [(_, _, sha256)] = broken.lanes
    (lab.folder / "shared" / sha256[:2] / sha256).unlink()
    moved(lab, "broken", -20)
    moved(lab, "sound", -10)
    shelf = shelf_of((lab.folder / "shared").as_uri())
    runs = await asyncio.to_thread(fire, store, shelf, lambda _: None)
    assert [run.partition("-")[0] for run in runs] == ["sound"]
    kept = {one.name: one for one in schedules(store)}
    assert "does not have the file" in str(kept["broken"].last_how)
    assert kept["broken"].next_s > datetime.now(UTC).timestamp()
    store.close()


@pytest.mark.parametrize(
    "at_s", [-9_000_000_000_000_000_000, -9_000_000_000_000_000, 9_000_000_000_000_000_000]
)
async def test_a_time_that_is_none_is_told_and_the_others_do_not_wait(
    lab: Lab, devices: Path, at_s: int
) -> None:
    from farm.fleet.database import Store

    async with fleet({"board": Properties()}, devices) as running:
        await add(lab, running, "broken", "--iter", "7")
        await add(lab, running, "sound")
    moved(lab, "sound", -10)
    store = Store(store_url(lab.url), Deadlines())
    with store.transaction() as connection:
        connection.execute(
            sa.text("UPDATE farm_schedules SET next_s = :at WHERE name = 'broken'"), {"at": at_s}
        )
    shelf = shelf_of((lab.folder / "shared").as_uri())
    notes: list[str] = []
    listed = await lab("schedule", "list", "--json")
    runs = await asyncio.to_thread(fire, store, shelf, notes.append)
    store.close()
    assert [run.partition("-")[0] for run in runs] == ["sound"]
    assert any("is no time" in note for note in notes) == (at_s < 0)
    assert listed.code == 0, listed.stderr
    assert "is no time" in str(listed.results)


async def test_a_schedule_whose_lanes_cannot_be_read_is_listed_told_and_removed(
    lab: Lab, devices: Path
) -> None:
    from farm.fleet.database import Store

    async with fleet({"board": Properties()}, devices) as running:
        await add(lab, running, "broken")
    moved(lab, "broken", -10)
    store = Store(store_url(lab.url), Deadlines())
    with store.transaction() as connection:
        connection.execute(sa.text("UPDATE farm_schedules SET lanes = '[[1]]' WHERE name = 'broken'"))
    notes: list[str] = []
    shelf = shelf_of((lab.folder / "shared").as_uri())
    assert await asyncio.to_thread(fire, store, shelf, notes.append) == []
    store.close()
    assert notes == ["schedule broken: its row in the store names no lane"]
    listed: Any = (await lab("schedule", "list", "--json")).results
    assert "names no lane" in listed[0]["last_how"]
    assert (await lab("schedule", "remove", "broken")).code == 0


async def test_what_is_kept_is_listed_replaced_and_removed(lab: Lab, devices: Path) -> None:
    async with fleet({"board": Properties()}, devices) as running:
        await add(lab, running, "night", "--timezone", "Europe/Berlin")
        again = await lab(
            "schedule", "add", "night", "--cron", "0 3 * * *", "--inventory", str(running.inventory), *ASKED
        )
        assert again.code == 2
        assert "has a schedule night already" in again.stderr
        await add(lab, running, "night", "--replace")
    queued = await lab("queue")
    assert "schedule night of" in queued.stdout
    assert "T02:00+00:00 (UTC)" in queued.stdout
    assert (await lab("schedule", "remove", "night")).code == 0
    absent = await lab("schedule", "run", "night")
    assert absent.code == 2
    assert "no schedule 'night'" in absent.stderr


def test_a_time_is_that_of_its_zone_across_a_change_of_clocks() -> None:
    before = int(datetime(2026, 10, 24, 12, tzinfo=BERLIN).timestamp())
    first = next_s("0 2 * * *", BERLIN, before)
    assert shown(first, BERLIN).startswith("2026-10-25T02:00")
    second = next_s("0 4 * * *", BERLIN, first)
    assert shown(second, BERLIN) == "2026-10-25T04:00+01:00"
    assert missed("0 4 * * *", BERLIN, second, second + 3 * 86400 - 1) == 3


@pytest.mark.parametrize(
    "text", ["", "0 2", "* * * * * *", "61 * * * *", "0 0 30 2 *", "@reboot", "x y z a b", "0 2 * * \udcff"]
)
def test_what_is_no_cron_expression_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--cron"):
        require_cron(text)


@pytest.mark.parametrize("text", ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "\0"])
def test_what_is_no_time_zone_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--timezone"):
        zone_of(text)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"how": 3}', b"\xff", b"[" * 100_000])
def test_a_document_of_something_else_does_not_become_a_run(data: bytes) -> None:
    with pytest.raises(RequestError):
        renamed(data, "night-1", "2026-11-27T00:00:00+00:00")
