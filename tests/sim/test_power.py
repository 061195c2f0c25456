"""`farm devices power`: hooks of the inventory that really switch simulated devices, and whom they never switch."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from farm.sim import processes
from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Ending, Line, Program, Properties
from tests.e2e.conftest import ROOT, Farm, Outcome
from tests.session import wait

pytestmark = pytest.mark.sshd


CUT = """import signal, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from farm.sim import places, processes
home = Path({home!r})
places.switch_off(home)
processes.send(processes.servers(home), signal.SIGKILL)
"""
"""What a hook does that really cuts the power of a simulated device."""


class Pdu:
    """A script that records what it is asked, and prints the state of the newest lease while it is."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "pdu"
        self.path.write_text(
            f"#!/bin/sh\necho \"$@\" >>'{folder}/asked'\n"
            f"readlink '{folder}'/devices/farm-sim-*/home/.cache/farm/lease/1* 2>/dev/null | tail -n 1\n"
        )
        self.path.chmod(0o755)
        self._asked = folder / "asked"

    @property
    def asked(self) -> list[str]:
        return sorted(self._asked.read_text().splitlines()) if self._asked.exists() else []

    def entry(self) -> dict[str, list[str]]:
        return {
            action: [str(self.path), action, "{name}", "{address}"]
            for action in ("on", "off", "cycle", "status")
        }


HEALTHY = Program()


@pytest.fixture
def pdu(tmp_path: Path) -> Pdu:
    return Pdu(tmp_path)


def switched(pdu: Pdu, program: Program = HEALTHY, **more: Any) -> Properties:
    return Properties(program, entry=(("power", pdu.entry()),), **more)


async def power(farm: Farm, running: Fleet, *words: str) -> Outcome:
    return await asyncio.to_thread(farm, "devices", "power", "-i", str(running.inventory), *words)


async def test_a_free_device_is_switched_while_its_lease_is_held(farm: Farm, devices: Path, pdu: Pdu) -> None:
    async with fleet({"one": switched(pdu)}, devices) as running:
        outcome = await power(farm, running, "one", "cycle", "--json")
        check = await asyncio.to_thread(farm, "devices", "check", "-i", str(running.inventory), "--json")
    assert outcome.code == 0, outcome.stderr
    (done,) = json.loads(outcome.stdout)
    assert (done["exit_code"], done["error"], done["command"][1:]) == (0, None, ["cycle", "one", "127.0.0.1"])
    assert done["output"].startswith("held:")
    assert "farm%20devices%20power%20cycle" in done["output"]
    assert pdu.asked == ["cycle one 127.0.0.1"]
    assert json.loads(check.stdout)[0]["holder"] is None


@pytest.mark.parametrize("action", ["on", "off", "cycle"])
async def test_a_device_that_another_holds_is_never_switched(
    farm: Farm, devices: Path, pdu: Pdu, action: str
) -> None:
    async with fleet({"one": switched(pdu, Program(ending=Ending.HANG))}, devices) as running:
        given = ("bench", "--inventory", str(running.inventory), "--model", "bundled:tiny", "--rounds", "2")
        process = farm.start(*given)
        await asyncio.to_thread(wait, running.devices["one"].runs)
        outcome = await power(farm, running, "one", action, "--yes")
        status = await power(farm, running, "one", "status")
        still = running.devices["one"].running()
        await asyncio.to_thread(farm.interrupt, process, signal.SIGINT)
    assert outcome.code == 3
    assert "held by " in outcome.stderr
    assert f"farm devices release --inventory {running.inventory} one" in outcome.stderr
    assert status.code == 0, status.stderr
    assert pdu.asked == ["status one 127.0.0.1"]
    assert still


async def test_the_lease_of_a_run_that_was_killed_holds_nobody_up(
    farm: Farm, devices: Path, pdu: Pdu
) -> None:
    async with fleet({"one": switched(pdu, Program(ending=Ending.HANG))}, devices) as running:
        given = ("bench", "--inventory", str(running.inventory), "--model", "bundled:tiny", "--rounds", "2")
        process = farm.start(*given)
        await asyncio.to_thread(wait, running.devices["one"].runs)
        process.kill()
        process.communicate()
        outcome = await power(farm, running, "one", "off")
    assert outcome.code == 0, outcome.stderr
    assert pdu.asked == ["off one 127.0.0.1"]


async def test_a_device_that_does_not_answer_is_switched_off_only_with_yes(
    farm: Farm, devices: Path, pdu: Pdu
) -> None:
    async with fleet({"gone": switched(pdu, line=Line(deaf_s=3600))}, devices) as running:
        refused = [await power(farm, running, "gone", action) for action in ("off", "cycle")]
        assert pdu.asked == []
        on = await power(farm, running, "gone", "on")
        cycle = await power(farm, running, "gone", "cycle", "--yes")
    for one in refused:
        assert one.code == 3
        assert "nobody can be asked whether it is in use" in one.stderr
        assert "--yes" in one.stderr
    assert (on.code, cycle.code) == (0, 0), cycle.stderr
    assert "nobody can be asked" in cycle.stderr
    assert pdu.asked == ["cycle gone 127.0.0.1", "on gone 127.0.0.1"]


async def test_a_device_that_goes_off_under_the_lease_is_no_failure(
    farm: Farm, devices: Path, pdu: Pdu
) -> None:
    async with fleet({"one": switched(pdu)}, devices) as running:
        home = running.devices["one"].home
        pdu.path.write_text(f"#!{sys.executable}\n{CUT.format(root=str(ROOT), home=str(home))}")

        outcome = await power(farm, running, "one", "off")
    assert outcome.code == 0, outcome.stderr
    assert "Traceback" not in outcome.stderr


HOSTILE = {
    "hangs": (["sh", "-c", "trap '' TERM; sleep 989"], "did not end within 1 s (deadline power)"),
    "is not there": (["/nonexistent/pdu"], "cannot run /nonexistent/pdu"),
    "fails": (["sh", "-c", "printf 'no \\033[2Jsuch \\377outlet' >&2; exit 9"], "it ended with 9"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hook_that_fails_is_told_and_the_device_is_free(farm: Farm, devices: Path, name: str) -> None:
    command, says = HOSTILE[name]
    properties = Properties(entry=(("power", {"cycle": command}),))
    async with fleet({"one": properties}, devices) as running:
        outcome = await power(farm, running, "one", "cycle", "--deadline", "power=1")
        check = await asyncio.to_thread(farm, "devices", "check", "-i", str(running.inventory), "--json")
    assert outcome.code == 3
    assert says in outcome.stderr
    assert "power.cycle of one" in outcome.stderr
    assert "\x1b" not in outcome.stdout + outcome.stderr
    assert json.loads(check.stdout)[0]["holder"] is None


async def test_an_interruption_ends_the_hook_and_frees_the_device(
    farm: Farm, devices: Path, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    command = ["sh", "-c", f"echo $$ >'{pid}.new'; mv '{pid}.new' '{pid}'; exec sleep 989"]
    async with fleet({"one": Properties(entry=(("power", {"off": command}),))}, devices) as running:
        process = farm.start("devices", "power", "-i", str(running.inventory), "one", "off")
        await asyncio.to_thread(wait, pid.exists)
        outcome = await asyncio.to_thread(farm.interrupt, process, signal.SIGINT)
        check = await asyncio.to_thread(farm, "devices", "check", "-i", str(running.inventory), "--json")
    assert outcome.code == 130
    assert not processes.is_alive(int(pid.read_text()))
    assert json.loads(check.stdout)[0]["holder"] is None


async def test_without_a_hook_for_it_nothing_is_done(farm: Farm, devices: Path, pdu: Pdu) -> None:
    async with fleet({"a": switched(pdu), "b": Properties()}, devices) as running:
        outcome = await power(farm, running, "*", "off")
        plan = await asyncio.to_thread(farm, "plan", "-i", str(running.inventory), "--model", "bundled:tiny")
        listed = await asyncio.to_thread(farm, "devices", "list", "-i", str(running.inventory))
    assert outcome.code == 2
    assert "the inventory has no power.off for b" in outcome.stderr
    assert pdu.asked == []
    assert "which a bench never calls (farm devices power): a (on, off, cycle, status)" in plan.stdout
    assert "on off cycle status" in listed.stdout
