"""What `farm bench` makes of a device whose program or connection fails in the middle of a round."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from farm.sim.fleet import fleet
from farm.sim.oddities import ODDITIES
from farm.sim.properties import Act, Ending, Program, Properties, Strike, Target
from tests.e2e.conftest import Farm
from tests.sim.conftest import bench

pytestmark = pytest.mark.sshd


async def test_a_cut_connection_loses_no_round(farm: Farm, devices: Path) -> None:
    async with fleet({"gpu-1": ODDITIES["connection-cut"].properties}, devices) as running:
        outcome = await bench(farm, running)
        # Each round was started once: the cut one was found again, not repeated.
        assert len(running.devices["gpu-1"].runs()) == 2
    assert outcome.code == 0, outcome.stderr
    assert len(outcome.cells()[0]["rounds"]) == 2
    assert "connected again" in outcome.stderr


@pytest.mark.long
async def test_a_rerun_after_the_controller_was_killed_does_not_wait_for_its_former_lease(
    farm: Farm, devices: Path
) -> None:
    """It is killed in the first round of the device, which hangs then."""
    hangs = Strike(Target.SUPERVISOR, Act.STOP, run=1, iteration=1, lasts_s=3.0)
    properties = Properties(Program(strikes=(hangs,)))
    async with fleet({"arm-1": properties}, devices) as running:
        words = (
            "--inventory",
            str(running.inventory),
            "--model",
            "bundled:tiny",
            "--rounds",
            "2",
            "--run-id",
            "killed",
        )
        process = farm.start("bench", *words)
        async with asyncio.timeout(60):
            while not running.devices["arm-1"].runs():
                await asyncio.sleep(0.05)
        process.kill()
        process.communicate()
        outcome = await bench(farm, running)
    assert outcome.code == 0, outcome.stderr
    assert "taking over the lease of a run that is gone: held by" in outcome.stderr


async def test_a_device_that_has_all_files_is_asked_for_them_once_and_does_nothing_else_for_them(
    farm: Farm, devices: Path
) -> None:
    """Each process costs a slow board more than it costs here."""
    told = 'echo "NAME $*" >>"$HOME/called"; exec REAL "$@"'
    tools = tuple((name, told.replace("NAME", name)) for name in ("touch", "setsid"))
    async with fleet({"arm-1": Properties(tools=tools)}, devices) as running:
        called = running.devices["arm-1"].home / "called"
        first = await bench(farm, running, "--check", "off")
        called.unlink()
        again = await bench(farm, running, "--check", "off", "--run-id", "two")
        lines = called.read_text().splitlines()
    assert (first.code, again.code) == (0, 0), again.stderr
    assert sum(line.startswith("touch -c cas/") for line in lines) == 1, lines
    # A supervisor and a program for each round: none looks for /bin/sh, which runs the program.
    assert sum(line.startswith("setsid") for line in lines) == 2 * 2, lines


async def test_a_device_that_is_gone_costs_its_own_cells_only(farm: Farm, devices: Path) -> None:
    wanted = {"arm-1": Properties(), "gpu-1": ODDITIES["power-cut"].properties}
    async with fleet(wanted, devices) as running:
        outcome = await bench(farm, running, "--reconnect", "1")
    assert outcome.code == 3, outcome.stderr
    assert outcome.statuses() == {"arm-1": {"completed"}, "gpu-1": {"failed"}}
    (cell,) = outcome.cells(device="gpu-1")
    assert (cell["fault"], cell["stage"]) == ("network", "connect")
    assert cell["hint"]


async def test_a_crash_is_a_failed_cell_with_its_log_kept(farm: Farm, devices: Path) -> None:
    wanted = {"arm-1": Properties(Program(ending=Ending.CRASH)), "arm-2": Properties()}
    async with fleet(wanted, devices) as running:
        outcome = await bench(farm, running)
    assert outcome.code == 3, outcome.stderr
    (cell,) = outcome.cells(device="arm-1")
    assert (cell["stage"], cell["status"]) == ("execute", "failed")
    assert len(cell["rounds"]) == 1  # the second is not tried
    log = next(one for one in cell["artifacts"] if one["role"] == "stderr")
    assert "a simulated failure" in (farm.folder / "runs" / "one" / log["path"]).read_text()


async def test_exit_code_0_is_not_enough_the_log_must_be_whole_and_the_files_there(
    farm: Farm, devices: Path
) -> None:
    wanted = {
        "arm-1": Properties(Program(ending=Ending.CUT)),
        "arm-2": Properties(Program(forgets=("profile",), noise=0.0)),
        "arm-3": Properties(),
    }
    async with fleet(wanted, devices) as running:
        outcome = await bench(farm, running, "--profile", "p.json")
    assert outcome.code == 3, outcome.stderr
    assert {cell["device"]: (cell["status"], cell["cause"]) for cell in outcome.results["cells"]} == {
        "arm-1": ("failed", "log-incomplete"),
        "arm-2": ("failed", "output-missing"),
        "arm-3": ("completed", None),
    }
    # The profile failed, not the times: they were measured without it.
    assert outcome.cells(device="arm-1")[0]["summary"] is None
    assert outcome.cells(device="arm-2")[0]["summary"]["median_ms"] == 2.0
