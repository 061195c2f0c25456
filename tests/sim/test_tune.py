"""Searches on simulated devices, whose times depend on options."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Program, Properties, Strike, Target
from tests.e2e.conftest import Farm, Outcome

pytestmark = pytest.mark.sshd

FAST = {"enable-nchw44": 0.8, "weight-preprocess": 0.7, "const-shape": 1.1}
PROGRAM = Program(factors=tuple(FAST.items()), noise=0.003)
AXES = ("layout=default,nchw44", "weight-preprocess=default,true", "const-shape=default,true")


def words(running: Fleet, *more: str, axes: tuple[str, ...] = AXES, budget: str = "300s") -> tuple[str, ...]:
    space = [word for axis in axes for word in ("--space", axis)]
    where = ("--inventory", str(running.inventory), "--model", "bundled:tiny", "--run-id", "t")
    return ("tune", *where, *space, "--seed", "1", "--budget", budget, "--json", *more)


async def tune(farm: Farm, running: Fleet, *more: str, **kept: Any) -> Outcome:
    return await asyncio.to_thread(farm, *words(running, *more, **kept))


def state(farm: Farm) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((farm.folder / "runs" / ".tune" / "t" / "tune.json").read_bytes())
    return found["tune"]


@pytest.mark.long
async def test_the_fastest_options_are_found_and_farm_bench_takes_them(farm: Farm, devices: Path) -> None:
    async with fleet({"arm-1": Properties(PROGRAM)}, devices) as running:
        done = await tune(farm, running, "--output", "fast.yaml")
        assert done.code == 0, done.stderr
        found = json.loads(done.stdout)["tune"]
        confirmed = found["confirmation"]
        assert confirmed["candidate"] == "layout=nchw44, weight-preprocess"
        assert confirmed["verdict"] == "faster"
        assert 0.54 < confirmed["ratio"] < 0.58
        assert found == state(farm)
        rungs = [one for one in found["steps"] if one["kind"] == "rung"]
        for one in (*found["steps"], confirmed):
            assert (farm.folder / "runs" / one["run"] / "report.html").is_file()
        assert [len(one["candidates"]) for one in rungs] == [8, 4]
        where = ("--inventory", str(running.inventory))
        bench = await asyncio.to_thread(farm, "plan", "--suite", "fast.yaml", *where, "--json")
        assert [one["variant"] for one in json.loads(bench.stdout)["cells"]] == ["default", "tuned"]


@pytest.mark.long
async def test_a_search_that_is_killed_in_a_rung_goes_on_with_that_rung(farm: Farm, devices: Path) -> None:
    async with fleet({"arm-1": Properties(PROGRAM)}, devices) as running:
        process = farm.start(*words(running, axes=AXES[:2], budget="15s"))
        device = running.devices["arm-1"]
        planned = farm.folder / "runs" / ".tune" / "t" / "tune.json"
        while not (planned.exists() and len(device.runs()) > 10):
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.communicate)
        (cut,) = state(farm)["steps"]
        assert cut["run"] is None
        resumed = ("tune", "--resume", "t", "--json", "--wait", "60")
        refused = await asyncio.to_thread(farm, *resumed, "--seed", "2")
        assert refused.code == 2
        assert "seed was 1, not 2" in refused.stderr
        done = await asyncio.to_thread(farm, *resumed)
        assert done.code == 0, done.stderr
        steps = json.loads(done.stdout)["tune"]["steps"]
        assert [one["run"] for one in steps] == ["t-rung-1-try-2"]
        assert steps[0]["candidates"] == cut["candidates"]
        confirmed = json.loads(done.stdout)["tune"]["confirmation"]
        assert confirmed["candidate"] == "layout=nchw44, weight-preprocess"
        assert confirmed["verdict"] == "faster"
        again = await asyncio.to_thread(farm, *resumed)
        assert json.loads(again.stdout) == json.loads(done.stdout)
        assert len([one for one in (farm.folder / "runs").iterdir() if one.name.startswith("t-")]) == 3


@pytest.mark.long
async def test_what_computes_something_else_or_fails_is_never_the_answer(farm: Farm, devices: Path) -> None:
    program = Program(
        factors=(("enable-nchw44", 0.5), ("weight-preprocess", 0.6), ("const-shape", 0.9)),
        shifts=(("enable-nchw44", 0.5),),
        lacks=("weight_preprocess",),
        noise=0.003,
    )
    async with fleet({"arm-1": Properties(program)}, devices) as running:
        done = await tune(farm, running)
    assert done.code == 0, done.stderr
    found = json.loads(done.stdout)["tune"]
    assert found["confirmation"]["candidate"] == "const-shape"
    why = {one["value"]: one["why"] for one in found["left_out"]}
    assert "other outputs" in why["layout=nchw44"]
    assert "weight-preprocess" in why["weight-preprocess=true"]


@pytest.mark.long
async def test_where_nothing_is_faster_the_default_is_the_answer(farm: Farm, devices: Path) -> None:
    slow = Program(factors=(("enable-nchw44", 1.2), ("weight-preprocess", 1.1)), noise=0.003)
    async with fleet({"arm-1": Properties(slow)}, devices) as running:
        done = await asyncio.to_thread(
            farm, *[one for one in words(running, axes=AXES[:2]) if one != "--json"]
        )
    assert done.code == 0, done.stderr
    assert "no option set is faster than the default (" in done.stdout
    assert not (farm.folder / "runs" / ".tune" / "t" / "variant.yaml").exists()


@pytest.mark.long
async def test_a_device_that_is_gone_stops_the_search_which_goes_on_when_it_is_back(
    farm: Farm, devices: Path
) -> None:
    async with fleet({"arm-1": Properties(PROGRAM)}, devices) as running:
        whole = running.inventory.read_text()
        first = await tune(farm, running, "--budget", "1h", axes=("layout=default,nchw88x",))
        assert first.code == 2
        port = f"port: {running.devices['arm-1'].port}"
        running.inventory.write_text(whole.replace(port, "port: 1"))
        gone = await tune(farm, running, axes=AXES[:2])
        assert gone.code in (3, 4), gone.stderr
        running.inventory.write_text(whole)
        done = await tune(farm, running, axes=AXES[:2])
        assert done.code == 0, done.stderr


@pytest.mark.long
async def test_a_device_that_is_lost_in_a_step_decides_nothing_and_the_step_is_measured_again(
    farm: Farm, devices: Path, tmp_path: Path
) -> None:
    cut = replace(PROGRAM, strikes=(Strike(Target.MACHINE, run=10, lasts_s=0.0),))
    async with fleet({"arm-1": Properties(cut)}, devices) as running:
        gone = await tune(farm, running, axes=AXES[:2])
        assert gone.code == 3, gone.stderr
        assert "was not measured: " in gone.stderr
        found = state(farm)
        assert found["confirmation"] is None
        assert found["steps"][-1]["run"] is None
    (again := tmp_path / "again").mkdir()
    async with fleet({"arm-1": Properties(PROGRAM)}, again) as running:
        for file in (one for one in again.iterdir() if one.is_file()):  # the inventory, and the host keys
            shutil.copy(file, devices)
        done = await asyncio.to_thread(farm, "tune", "--resume", "t", "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["tune"]["confirmation"]["candidate"] == "layout=nchw44, weight-preprocess"
