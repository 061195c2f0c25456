"""Which of two devices is fit to gate a release: by canaries of earlier runs, and by rounds that are measured now."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from farm.sim.fleet import fleet
from farm.sim.properties import Program, Properties
from tests.e2e.conftest import Farm
from tests.sim.conftest import bench

pytestmark = pytest.mark.sshd


@pytest.mark.long
async def test_canaries_rank_the_quiet_device_first_and_measured_rounds_are_added(
    farm: Farm, devices: Path
) -> None:
    """The noisy one comes first in the inventory."""
    wanted = {
        "noisy": Properties(Program(noise=0.3)),
        "quiet": Properties(Program(noise=0.002, seed=1)),
    }
    async with fleet(wanted, devices) as running:
        stability = ("devices", "stability", "--inventory", str(running.inventory))
        words = ("--canary", "--rounds", "10", "--seed", "1", "--minimum-effect", "100%")  # no fresh rounds
        await bench(farm, running, *words)
        shown = await asyncio.to_thread(farm, *stability)
        now = ("quiet", "--measure", "--model", "bundled:tiny", "--rounds", "6", "--json")
        measured = await asyncio.to_thread(farm, *stability, *now)
    assert shown.code == 0, shown.stderr
    ranked = [line.split()[0] for line in shown.stdout.splitlines() if line.startswith(("noisy", "quiet"))]
    assert ranked[:2] == ["quiet", "noisy"], shown.stdout
    assert "fit to gate a release: quiet\n" in shown.stdout
    assert measured.code == 0, measured.stderr
    assert "canary: measured twice and compared with itself: quiet tiny default" in measured.stderr
    (device,) = json.loads(measured.stdout)["devices"]
    (answer,) = device["answers"]
    assert (device["device"], device["fitness"]) == ("quiet", "fit"), answer["reason"]
    assert answer["noise"]["sessions_count"] == 2
    assert answer["noise"]["pairs"] >= 12  # of 16 at least, should this machine be busy
    reports = list((farm.folder / "runs").glob("*/report.html"))
    assert len(reports) == 2
