"""What a device can do at most: measured once for its profiled cells, and what fails there costs none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from farm.sim.fleet import fleet
from farm.sim.properties import Act, Program, Properties, Strike, Target
from tests.e2e.conftest import Farm
from tests.sim.conftest import bench

pytestmark = pytest.mark.sshd

PROFILED = ("--iter", "3", "--profile", "p.json", "--profile-rounds", "1")
FIRST_AFTER_THE_CELL = 4
"""The run of a device's program after two timed rounds and the profile."""


def struck(target: Target, **more: Any) -> Properties:
    return Properties(Program(strikes=(Strike(target, Act.KILL, run=FIRST_AFTER_THE_CELL, **more),)))


def devices_of(farm: Farm, run_id: str = "one") -> dict[str, dict[str, Any]]:
    results = json.loads((farm.folder / "runs" / run_id / "results.json").read_text("utf-8"))
    return {one["name"]: one for one in results["devices"]}


async def test_what_fails_when_ceilings_are_measured_is_a_note_and_no_failed_cell(
    farm: Farm, devices: Path
) -> None:
    given = {"ceilings": {"gflops": 48, "gbps": 12.5}}
    wanted = {
        "given": Properties(entry=(*given.items(),)),
        "ends": struck(Target.SUPERVISOR),
        "gone": struck(Target.MACHINE, lasts_s=60.0),
        "slow": Properties(Program(factors=(("product", 1e6),), pace=1.0)),  # an hour for a product
    }
    async with fleet(wanted, devices) as running:
        outcome = await bench(
            farm, running, *PROFILED, "--deadline", "ceilings=2", "--reconnect", "1", "--rounds", "2"
        )
        runs = {name: len(device.runs()) for name, device in running.devices.items()}
    assert outcome.code == 0, outcome.stderr
    assert {one["status"] for one in outcome.results["cells"]} == {"completed"}
    found = devices_of(farm)
    assert {name: (len(one["ceilings"]), len(one["no_ceilings"])) for name, one in found.items()} == {
        "given": (1, 0), "ends": (0, 1), "gone": (0, 1), "slow": (0, 1)
    }  # fmt: skip
    assert {one["status"] for one in found.values()} == {"ok"}
    assert "internal error" not in outcome.stderr
    (entry,) = found["given"]["ceilings"]
    assert (entry["source"], entry["gflops"], entry["gbps"]) == ("inventory", 48, 12.5)
    assert runs["given"] == 3
    assert "within 2 s (deadline ceilings)" in found["slow"]["no_ceilings"][0]
    for name in ("ends", "gone", "slow"):
        assert f"{name}: no ceilings of default: " in outcome.stderr
    report = (farm.folder / "runs/one/report.html").read_text("utf-8")
    assert 'id="roofline"' in report
    assert "No ceilings of slow, default: " in report


@pytest.mark.long
async def test_nobody_waits_for_more_core_sets_where_two_could_not_be_measured(
    farm: Farm, devices: Path
) -> None:
    slow = Properties(Program(factors=(("product", 1e6),), pace=1.0))
    core_sets = ("d=", "t1=--cpu", "t2=--multithread 2", "c0=--multithread 1 --multi-thread-core-ids 0")
    words = [word for one in core_sets for word in ("--variant", one)]
    async with fleet({"slow": slow}, devices) as running:
        outcome = await bench(farm, running, *words, *PROFILED, "--deadline", "ceilings=1", "--rounds", "1")
    assert outcome.code == 0, outcome.stderr
    assert ["not tried" in why for why in devices_of(farm)["slow"]["no_ceilings"]] == [
        False,
        False,
        True,
        True,
    ]


async def test_ceilings_are_measured_once_for_all_cells_and_runs_since_the_start_of_a_device(
    farm: Farm, devices: Path
) -> None:
    words = ("--variant", "a=", "--variant", "b=--enable-nchw44", *PROFILED, "--rounds", "1")
    more = {"first": (), "second": (), "without": ("--no-ceilings",), "full": ()}
    said = {}
    async with fleet({"arm-1": Properties()}, devices) as running:
        for run_id, options in more.items():
            if run_id == "full":  # nothing can be kept on this machine any more
                (farm.folder / "cache" / "ceilings").rename(farm.folder / "cache" / "before")
                (farm.folder / "cache" / "ceilings").write_text("no folder")
            outcome = await bench(farm, running, *words, *options, "--run-id", run_id)
            assert outcome.code == 0, outcome.stderr
            said[run_id] = outcome.stderr
        runs = running.devices["arm-1"].runs()
    models = [Path(words[0]).stem for words in runs if Path(words[0]).stem != "tiny"]
    assert models == ["product", "elementwise"] * 3 * 2
    found = {run_id: devices_of(farm, run_id)["arm-1"]["ceilings"] for run_id in more}
    (first,) = found["first"]
    assert (first["gflops"], first["gbps"]) == (pytest.approx(20), pytest.approx(10))
    assert (first["source"], first["cores"], first["from_run"]) == ("measured", "default", "first")
    assert len(first["rounds_gflops"]) == len(first["rounds_gbps"]) == 3
    assert found["second"] == found["first"]
    assert found["without"] == []
    assert found["full"][0]["from_run"] == "full"
    assert "not kept in the cache" in said["full"]
    assert ["measuring the ceilings" in text for text in said.values()] == [True, False, False, True]


@pytest.mark.long
async def test_a_restart_when_ceilings_are_measured_costs_no_cell(farm: Farm, devices: Path) -> None:
    properties = struck(Target.MACHINE, lasts_s=0.2)
    async with fleet({"board": properties}, devices) as running:
        outcome = await bench(farm, running, *PROFILED, "--reconnect", "30")
        leases = sorted((running.devices["board"].home / ".cache/farm/lease").glob("1*"))
        assert str(leases[-1].readlink()) == "free"
    assert outcome.code == 0, outcome.stderr
    found = devices_of(farm)["board"]
    assert found["ceilings"] == []
    assert len(found["no_ceilings"]) == 1
    assert "done again" not in outcome.stderr
