"""How often the connection to a device was lost, as the results and the report have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from farm.sim.fleet import fleet
from farm.sim.properties import Program, Properties, Strike, Target
from tests.e2e.conftest import Farm
from tests.sim.conftest import bench

pytestmark = pytest.mark.sshd

CUT = Strike(Target.CONNECTION, run=1)


async def test_each_lost_connection_is_in_the_results_with_what_went_on_and_for_how_long(
    farm: Farm, devices: Path
) -> None:
    twice = Properties(Program(strikes=(CUT, Strike(Target.CONNECTION, run=2))))
    async with fleet({"cut": twice, "steady": Properties()}, devices) as running:
        outcome = await bench(farm, running)
        runs = len(running.devices["cut"].runs())
    assert outcome.code == 0, outcome.stderr
    assert runs == 2, "a round was run twice"
    found = {device["name"]: device["outages"] for device in outcome.results["devices"]}
    assert found["steady"] == []
    assert [(one["during"], one["is_over"]) for one in found["cut"]] == [("timed-0", True), ("timed-1", True)]
    assert all(one["cell"] == "cut/tiny/default" and one["lasted_s"] > 0 for one in found["cut"])
    report = (farm.folder / "runs/one/report.html").read_text("utf-8")
    assert "connection lost" in report
    assert "timed-0 of tiny/default at" in report
    assert '"outages":[{' in (farm.folder / "runs/one/journal.jsonl").read_text("utf-8")
    shown = farm("runs", "show", "one")
    assert "cut: connection lost 2 times" in " ".join(shown.stdout.split())


async def test_a_device_that_does_not_come_back_has_an_outage_without_an_end(
    farm: Farm, devices: Path
) -> None:
    gone = Properties(Program(strikes=(Strike(Target.MACHINE, run=1),)))
    async with fleet({"gone": gone}, devices) as running:
        outcome = await bench(farm, running, "--reconnect", "1", "--deadline", "connect=1")
    assert outcome.code == 4, outcome.stderr
    results = json.loads((farm.folder / "runs/one/results.json").read_text("utf-8"))
    (device,) = results["devices"]
    (one,) = device["outages"]
    assert (one["during"], one["is_over"]) == ("timed-0", False)
    assert one["lasted_s"] > 0
