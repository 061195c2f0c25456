"""One user cannot take a site, and each worker has its own number of devices at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from farm.sim.fleet import fleet
from farm.sim.properties import Properties
from tests.fleet.conftest import SLOW, Lab, until

pytestmark = pytest.mark.sshd


async def test_one_user_has_no_more_lanes_waiting_than_the_site_takes_of_one(lab: Lab, devices: Path) -> None:
    async with fleet(dict.fromkeys(("a", "b"), Properties()), devices) as running:
        shared = ("--artifacts", (lab.folder / "shared").as_uri())
        drained = await lab.end_by_itself(
            lab.worker(running, "--drain", "--most-waiting-per-user", "3", *shared)
        )
        assert drained.code == 0, drained.stderr
        assert (await lab.submit(running, "one", "--user", "ann")).code == 0
        refused = await lab.submit(running, "two", "--user", "ann")
        assert refused.code == 2
        assert "4 lanes of ann would wait at the site default, and it takes 3" in refused.stderr
        assert (await lab.submit(running, "three", "--user", "bob")).code == 0
        queued = await lab("queue", "--json")
        shown = await lab("queue")
    assert {one["run"] for one in queued.results["lanes"]} == {"one", "three"}, "a part of it waits"
    assert queued.results["limits"] == [{"site": "default", "of_all": None, "of_one_user": 3}]
    assert "at default may wait: 3 of one user (set by farm worker)" in shown.stdout


@pytest.mark.long
async def test_each_worker_of_a_site_keeps_its_own_number_of_devices_at_once(lab: Lab, devices: Path) -> None:
    """The engine has one such number for a site, in the store: that of the last worker that started."""
    names = ("a", "b", "c", "d")
    async with fleet(dict.fromkeys(names, SLOW), devices) as running:
        assert (await lab.submit(running, "one", "--rounds", "10")).code == 0
        small = lab.worker(running, "--parallel", "1")
        await until(lambda: any(running.devices[name].runs() for name in names), "nothing runs")
        large = lab.worker(running, "--parallel", "2")
        await until(lambda: sum(bool(running.devices[name].runs()) for name in names) == 3, "three at once")
        await asyncio.sleep(3)  # several looks for work
        assert sum(bool(running.devices[name].runs()) for name in names) == 3
        queued = await lab("queue", "--json")
        for worker in (small, large):
            await lab.end(worker)
    at = [one["worker"] for one in queued.results["lanes"] if one["status"] == "running"]
    assert sorted(map(at.count, set(at))) == [1, 2]
