"""A simulated device is a device: `farm bench` measures what was set, and nothing of it stays behind."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path

import pytest

from farm.dumps.profile import read_profile
from farm.dumps.tensor import parse_tensor
from farm.errors import RunError
from farm.logs.help import parse_flags
from farm.sim import processes, server
from farm.sim.device import SimulatedDevice
from farm.sim.fleet import fleet
from farm.sim.oddities import ODDITIES
from farm.sim.properties import Ending, Login, Program, Properties, Tensor
from tests.e2e.conftest import Farm
from tests.session import wait
from tests.sim.conftest import bench, ssh

pytestmark = pytest.mark.sshd

BACKGROUND = "setsid sh -c 'kill -STOP $$' >/dev/null 2>&1 & setsid sleep 987 >/dev/null 2>&1 &"
OUTPUT = Tensor(values=(0.25, -1.5, 3.0), shape=(1, 3), name="softmax", variable=81)


async def test_a_healthy_device_gives_the_times_and_files_that_were_set(farm: Farm, devices: Path) -> None:
    slow = Program(
        latency_ms=8.0, noise=0.0, load_ms=2.5, factors=(("enable-nchw44", 0.5),), outputs=(OUTPUT,)
    )
    wanted = {"fast": Properties(), "slow": Properties(slow)}
    async with fleet(wanted, devices) as running:
        variants = ("--variant", "plain=", "--variant", "nchw44=--enable-nchw44")
        files = ("--profile", "p.json", "--bin-out-dump", "out", "--no-ceilings")
        outcome = await bench(farm, running, *variants, *files)
        assert outcome.code == 0, outcome.stderr
        # Timed rounds, three profiles, and one round for each other kind of file.
        assert len(running.devices["slow"].runs()) == 2 * 2 + 2 * (3 + 1)
    plain, nchw44 = outcome.cells(device="slow")
    assert (plain["summary"]["median_ms"], nchw44["summary"]["median_ms"]) == (8.0, 4.0)
    assert {one["load_ms"] for one in plain["rounds"]} == {2.5}
    assert all(
        math.isclose(cell["summary"]["median_ms"], 2.0, rel_tol=0.2) for cell in outcome.cells(device="fast")
    )
    found = {one["role"]: farm.folder / "runs" / "one" / one["path"] for one in plain["artifacts"]}
    with found["profile"].open("rb") as file:
        assert [one.device_ms for one in read_profile(file).operators] == [4.0, 4.0]
    names = [f"one:{cell['device']}/{cell['model']}/{cell['variant']}" for cell in (plain, nchw44)]
    shown = farm("profiles", "compare", *names, "--json")
    assert shown.code == 0, shown.stderr
    compared = json.loads(shown.stdout)
    assert compared["rows"][0]["ratios"] == [None, 1.0]  # its profile is the same for all options
    assert (compared["waterfalls"][0]["is_end_to_end"], compared["waterfalls"][0]["delta_ms"]) == (True, -4.0)
    tensor = parse_tensor(found["bin-out-dump"].read_bytes())
    assert (tensor.name, tensor.shape, tensor.variable) == ("softmax", (1, 3), 81)
    assert tensor.values.tolist() == [[0.25, -1.5, 3.0]]


async def test_what_a_build_lacks_is_not_in_its_help(devices: Path) -> None:
    async with SimulatedDevice("one", Properties(Program(lacks=("fast-run",))), devices) as device:
        program = str(device.device().runtime.program)
        flags = parse_flags((await ssh(device, f"{program} --help")).stdout.decode())
        assert {"iter", "profile", "enable_nchw44"} < flags
        assert "fast_run" not in flags
        device.set_program(Program())
        assert "fast_run" in parse_flags((await ssh(device, f"{program} --help")).stdout.decode())


async def test_nothing_of_a_device_stays_behind_whatever_runs_on_it(devices: Path) -> None:
    async with SimulatedDevice("one", folder=devices) as device:
        assert (await ssh(device, BACKGROUND)).returncode == 0
        assert len(device.running()) == 2
        hanging = asyncio.create_task(ssh(device, "exec sleep 988"))
        await asyncio.to_thread(wait, lambda: len(device.running()) == 3)
        left = device.running()
        assert len(left) == 3
    assert not any(processes.is_alive(pid) for pid in left)
    assert [*devices.iterdir()] == []
    assert (await hanging).returncode != 0


async def test_a_device_that_cannot_start_leaves_nothing(devices: Path) -> None:
    odd = Properties(login=Login("no-such-shell"))
    with pytest.raises(RunError, match="no-such-shell"):
        async with fleet({"one": Properties(), "two": odd}, devices):
            pytest.fail("it started")
    assert [*devices.iterdir()] == []


async def test_without_openssh_the_error_says_what_to_install(
    devices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_SBIN", str(devices))
    with pytest.raises(RunError, match="needs") as raised:
        async with SimulatedDevice("one", folder=devices):
            pytest.fail("it started")
    assert "openssh-server" in raised.value.hint
    assert [*devices.iterdir()] == []


@pytest.mark.long
async def test_twenty_devices_run_at_once(farm: Farm, devices: Path) -> None:
    async with fleet({f"d-{index}": Properties() for index in range(20)}, devices) as running:
        outcome = await bench(farm, running, "--rounds", "1")
    assert outcome.code == 0, outcome.stderr
    assert list(outcome.statuses().values()) == [{"completed"}] * 20


def test_every_oddity_says_what_it_is() -> None:
    assert len({oddity.text for oddity in ODDITIES.values()}) == len(ODDITIES)
    assert Properties() not in [oddity.properties for oddity in ODDITIES.values()]
    assert ODDITIES["never-ends"].properties.program.ending is Ending.HANG
