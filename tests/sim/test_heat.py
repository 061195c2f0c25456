"""A simulated device with heat: it is warm from work, cools by the clock, and is slow while it is hot."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from farm.sim import heat, places
from farm.sim.device import SimulatedDevice
from farm.sim.properties import Heat, Program, Properties, heat_from_json, heat_to_json
from tests.session import wait
from tests.sim.conftest import ssh

CPU1 = "devices/system/cpu/cpu1/cpufreq"
ZONE = "class/thermal/thermal_zone0/temp"
STEADY = Heat(cooling_c=0.0)


def read(home: Path, name: str) -> str:
    return (places.sys_folder(home) / name).read_text().strip()


def device(tmp_path: Path, of: Heat) -> Path:
    (tmp_path / ".sim").mkdir()
    heat.lay_out(tmp_path, of)
    return tmp_path


def test_work_warms_a_device_and_above_its_trip_point_it_is_slower(tmp_path: Path) -> None:
    home = device(tmp_path, STEADY)
    assert (read(home, ZONE), read(home, f"{CPU1}/scaling_cur_freq")) == ("40000", "2400000")
    assert heat.warm(home, 2.5) == 1.0
    assert read(home, ZONE) == "65000"
    assert heat.warm(home, 1.0) == 2.0
    assert (read(home, ZONE), read(home, f"{CPU1}/scaling_cur_freq")) == ("75000", "1200000")


def test_a_device_cools_by_the_clock_down_to_its_idle_temperature(tmp_path: Path) -> None:
    home = device(tmp_path, Heat(cooling_c=1e6))
    heat.warm(home, 4.0)
    assert int(read(home, ZONE)) >= 80_000
    assert heat.warm(home) == 1.0
    assert read(home, ZONE) == "40000"


@pytest.mark.parametrize(
    ("file", "text", "factor"), [("scaling_governor", "powersave", 3.0), ("scaling_max_freq", "1200000", 1.5)]
)
def test_a_governor_or_a_limit_that_is_set_decides_the_frequency(tmp_path: Path, file, text, factor) -> None:
    home = device(tmp_path, STEADY)
    for core in (0, 1):
        (places.sys_folder(home) / f"devices/system/cpu/cpu{core}/cpufreq" / file).write_text(f"{text}\n")
    assert heat.warm(home) == factor


def test_a_sensor_that_lies_goes_on_lying(tmp_path: Path) -> None:
    home = device(tmp_path, Heat(files=((ZONE, "-273000"),)))
    heat.warm(home, 10.0)
    assert read(home, ZONE) == "-273000"


def test_a_device_without_heat_is_never_slower(tmp_path: Path) -> None:
    assert heat.warm(tmp_path, 100.0) == 1.0


def test_its_properties_travel_as_text() -> None:
    odd = Heat(files=(("a", "b"),), clusters=())
    assert [heat_from_json(heat_to_json(one)) for one in (odd, STEADY)] == [odd, STEADY]


@pytest.mark.sshd
async def test_the_program_warms_its_device_which_is_then_slower_and_cools_again(devices: Path) -> None:
    slow = Program(latency_ms=500.0, noise=0.0)
    warm = Properties(slow, heat=Heat(warming_c=200.0, cooling_c=5.0, trip_c=50.0))
    async with SimulatedDevice("one", warm, devices) as one:
        program = str(one.device().runtime.program)
        (devices / "model.mge").touch()
        log = (await ssh(one, f"{program} {devices}/model.mge --iter=6")).stderr.decode()
        assert (await ssh(one, "echo $FARM_SYS")).stdout.decode().strip() == str(one.sysfs(""))
        hot_mc = int(one.sysfs(ZONE).read_text())
        assert hot_mc > 50_000
        await asyncio.to_thread(wait, lambda: int(one.sysfs(ZONE).read_text()) < hot_mc)
    times = [line.split("e2e=")[1].split()[0] for line in log.splitlines() if "e2e=" in line]
    assert (times[0], times[-1]) == ("500.000", "1000.000")
