"""What `farm bench` makes of a device that is hot, or that has neighbours."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.sim.fleet import fleet
from farm.sim.properties import Heat, Login, Program, Properties
from tests.e2e.conftest import Farm
from tests.sim.conftest import bench

pytestmark = pytest.mark.sshd

ZONE = "class/thermal/thermal_zone0/temp"


@contextlib.contextmanager
def neighbour(folder: Path, name: str) -> Iterator[None]:
    """A process of this name that uses all the processor time that it gets."""
    program = folder / name
    program.symlink_to(shutil.which("sh"))
    process = subprocess.Popen((program, "-c", "while :; do :; done"))
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def test_a_busy_neighbour_is_named_and_its_rounds_are_repeated_once(farm: Farm, devices: Path) -> None:
    slow = Properties(Program(latency_ms=60.0, pace=1.0), Login(neighbours=True))
    async with fleet({"arm-1": slow}, devices) as running:
        with neighbour(devices, "bad-neighbour"):
            outcome = await bench(farm, running, "--rounds", "1", "--deadline", "idle=0.6")
    assert outcome.code == 0, outcome.stderr
    first, again = outcome.cells()[0]["rounds"]
    assert [(one["attempt"], one["quality"]) for one in (first, again)] == [(0, "busy"), (1, "busy")]
    # Where other tests use more of this machine, it is these that are named.
    assert re.search(
        r"before it .*(bad-neighbour|process \d+).* used \d+% of a core", first["quality_evidence"]
    )
    assert first["telemetry"]["others_cores"] > 0.1
    assert 0.6 <= first["waited_s"] < 20
    assert "waiting until it is idle" in outcome.stderr
    assert outcome.cells()[0]["summary"]["rounds"] == 1


async def test_a_throttled_round_is_repeated_when_the_device_has_cooled_down(
    farm: Farm, devices: Path
) -> None:
    """Each round takes two seconds of the program's time and heats the device by 30 C, far over its trip point;
    it then cools by 10 C in one second of the clock. So the repetition is throttled, too.
    """
    heat = Heat(warming_c=15.0, cooling_c=10.0, trip_c=41.0)
    hot = Properties(Program(latency_ms=200.0, noise=0.0), heat=heat)
    liar = Properties(
        heat=Heat(files=((ZONE, "-273000"), ("class/thermal/cooling_device0/cur_state", "nonsense")))
    )
    async with fleet({"arm-1": hot, "arm-2": liar}, devices) as running:
        outcome = await bench(farm, running, "--rounds", "1")
    assert outcome.code == 0, outcome.stderr
    first, again = outcome.cells(device="arm-1")[0]["rounds"]
    assert [(one["attempt"], one["quality"]) for one in (first, again)] == [
        (0, "throttled"),
        (1, "throttled"),
    ]
    assert "slowed down, up to" in first["quality_evidence"]
    assert first["waited_s"] < 0.5 <= again["waited_s"]
    (zone,) = again["telemetry"]["temperatures"]
    assert (zone["name"], zone["start_c"] <= 45.0, zone["max_c"] > 45.0) == ("soc-thermal", True, True)
    assert "-> 45 C" in outcome.stderr
    # A sensor that lies costs its readings, no round and no wait.
    (one,) = outcome.cells(device="arm-2")[0]["rounds"]
    assert (one["quality"], one["telemetry"]["temperatures"], one["telemetry"]["throttle_events"]) == (
        "ok",
        [],
        None,
    )
