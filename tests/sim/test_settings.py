"""What the inventory allows to be set of a device holds for the rounds, and is given back whatever happens."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from farm.sim import processes
from farm.sim.device import SimulatedDevice
from farm.sim.fleet import fleet
from farm.sim.properties import Ending, Heat, Program, Properties
from tests.e2e.conftest import Farm
from tests.session import wait
from tests.sim.conftest import bench

pytestmark = pytest.mark.sshd

CPU = "devices/system/cpu"
STEADY = Program(latency_ms=8.0, noise=0.0)


def device(program: Program = STEADY, **pin: object) -> Properties:
    return Properties(program, heat=Heat(), entry=(("pin", pin),) if pin else ())


def frequencies(one: SimulatedDevice) -> list[str]:
    names = ("scaling_governor", "scaling_min_freq", "scaling_max_freq")
    return [one.sysfs(f"{CPU}/cpu1/cpufreq/{name}").read_text().strip() for name in names]


async def test_pins_hold_for_the_rounds_and_what_cannot_be_pinned_costs_none(
    farm: Farm, devices: Path
) -> None:
    wanted = {
        "free": device(),
        "slow": device(governor="performance", frequency_khz=1_200_000),
        "odd": device(governor="ondemand", turbo=False, frequency_khz="max", cores="big"),
        "poor": device(governor="performance", how="sudo"),
    }
    wanted["poor"] = Properties(
        STEADY,
        heat=Heat(),
        entry=wanted["poor"].entry,
        tools=(("sudo", "echo sudo: no password >&2; exit 1"),),
    )
    options = ("--multithread", "1", "--multi-thread-core-ids", "big")
    async with fleet(wanted, devices) as running:
        outcome = await bench(farm, running, *options)
        states = {name: frequencies(one) for name, one in running.devices.items()}
        left = [*devices.rglob("settings")]
        argv = running.devices["free"].runs()[-1]
    assert outcome.code == 0, outcome.stderr
    assert set(map(tuple, states.values())) == {("schedutil", "600000", "2400000")}
    assert left == []
    assert "--multi-thread-core-ids=1" in argv
    told = {one["name"]: (one["pinned"], one["not_pinned"]) for one in outcome.results["devices"]}
    refusals = (
        "governor not pinned: the device has no governor ondemand (it has performance, schedutil, powersave)",
        "turbo not pinned: the device has no switch for it",
    )
    assert told == {
        "free": ([], []),
        "slow": (["governor performance (cores 0-1)", "frequency 1200000 kHz (cores 0-1)"], []),
        "odd": (["frequency 2400000 kHz (cores 1)"], [*refusals]),
        "poor": ([], ["governor not pinned: sudo: no password (cores 0-1)"]),
    }
    medians = {cell["device"]: cell["summary"]["median_ms"] for cell in outcome.results["cells"]}
    assert medians == {"free": 8.0, "slow": 12.0, "odd": 8.0, "poor": 8.0}
    notes = {cell["device"]: cell["notes"] for cell in outcome.results["cells"]}
    assert set(refusals) <= set(notes["odd"])
    assert "governor not pinned: sudo: no password (cores 0-1)" in notes["poor"]


async def test_a_governor_is_given_back_after_kill_9_of_everything_but_its_guard(
    farm: Farm, devices: Path
) -> None:
    hanging = device(Program(ending=Ending.HANG), governor="performance")
    async with fleet({"one": hanging}, devices) as running:
        one = running.devices["one"]
        process = farm.start(
            "bench", "--inventory", str(running.inventory), "--model", "bundled:tiny", "--rounds", "1"
        )
        await asyncio.to_thread(
            wait, lambda: frequencies(one)[0] == "performance" and processes.agents(one.home, "supervise")
        )
        process.kill()
        guards = processes.agents(one.home, "guard")
        spared = {pid for guard in guards for pid in (guard, *processes.below(guard))}
        processes.send([pid for pid in processes.ours(one.home) if pid not in spared], signal.SIGKILL)
        process.communicate()
        assert frequencies(one)[0] == "performance"
        (beat,) = (one.home / ".cache/farm/lease").glob("beat.*")
        beat.write_text(f"{int(beat.read_text()) - 1000}\n")
        await asyncio.to_thread(wait, lambda: frequencies(one)[0] == "schedutil")
        await asyncio.to_thread(wait, lambda: not one.running())


async def test_what_could_not_be_given_back_is_told_by_the_check(farm: Farm, devices: Path) -> None:
    lying = Heat(files=(("class/thermal/thermal_zone0/temp", "-273000"),))
    async with fleet({"one": Properties(heat=lying)}, devices) as running:
        settings = running.devices["one"].home / ".cache/farm/settings"
        settings.mkdir(parents=True)
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        (settings / "left.1000000001").write_text(
            f"{boot} direct bench%20of%20ann\n{CPU}/cpu9/cpufreq/scaling_governor schedutil gone\n"
        )
        check = await asyncio.to_thread(farm, "devices", "check", "--inventory", str(running.inventory))
    assert check.code == 0, check.stderr
    told = " ".join(check.stderr.split())
    assert (
        "cpu9/cpufreq/scaling_governor, changed by bench of ann, could not be restored to schedutil" in told
    )
    assert "unreadable: temperature of soc-thermal" in told
