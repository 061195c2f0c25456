"""`farm devices check` on devices that are odd: what it finds, what it says to do, and that none holds up another."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Ending, Heat, Line, Login, Program, Properties
from tests.e2e.conftest import Farm, Outcome
from tests.session import wait

pytestmark = pytest.mark.sshd

FULL_DISK = "echo h; echo '/dev/x 1000000 990000 10000 99% /'"
NO_PASSWORD = "echo sudo: a password is required >&2; exit 1"
HUNG = Properties(tools=(("uname", "exec sleep 989"),))

ODD: Mapping[str, Properties] = {
    "well": Properties(),
    "late": Properties(tools=(("date", "echo 1000000000"),)),
    "dateless": Properties(tools=(("date", "exit 1"),)),
    "full": Properties(tools=(("df", FULL_DISK),)),
    "lying": Properties(heat=Heat(files=(("class/thermal/thermal_zone0/temp", "-273000"),))),
    "pinned": Properties(
        heat=Heat(),
        tools=(("sudo", NO_PASSWORD),),
        entry=(("pin", {"governor": "performance", "turbo": True, "how": "sudo"}),),
    ),
    "direct": Properties(heat=Heat(), entry=(("pin", {"governor": "performance"}),)),
    "closed": Properties(login=Login(forced="echo 'backups only' >&2; exit 7")),
    "deaf": Properties(line=Line(deaf_s=3600)),
}


async def check(farm: Farm, running: Fleet, *words: str) -> Outcome:
    return await asyncio.to_thread(
        farm, "devices", "check", "--inventory", str(running.inventory), *words
    )  # fmt: skip


def rules(checked: list[dict[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    return {
        one["device"]: [(found["rule"], found["severity"]) for found in one["findings"]] for one in checked
    }


async def test_each_oddity_is_found_with_what_to_do_about_it(farm: Farm, devices: Path) -> None:
    async with fleet(ODD, devices) as running:
        outcome = await check(farm, running, "--json")
    assert outcome.code == 3, outcome.stderr
    checked = json.loads(outcome.stdout)
    assert rules(checked) == {
        "well": [],
        "late": [("clock", "warning")],
        "dateless": [],
        "full": [("disk", "warning")],
        "lying": [("sensors", "warning")],
        "pinned": [("governor", "warning"), ("pin", "warning")],
        "direct": [],
        "closed": [("shell", "error")],
        "deaf": [("unreachable", "error")],
    }
    by_name = {one["device"]: one for one in checked}
    assert by_name["late"]["clock_off_s"] < -1e8
    assert by_name["well"]["clock_off_s"] == 0
    assert by_name["dateless"]["clock_off_s"] is None
    (told,) = [one for one in by_name["pinned"]["findings"] if one["rule"] == "governor"]
    assert "a password is required" in told["text"]
    assert told["todo"] == "farm devices provision pinned --task governor"
    assert len(by_name["late"]["warnings"]) == 1
    assert all(one["todo"] for each in checked for one in each["findings"])


async def test_warnings_give_code_0_unless_asked_to_be_strict(farm: Farm, devices: Path) -> None:
    async with fleet({name: ODD[name] for name in ("well", "late")}, devices) as running:
        assert (await check(farm, running, "well", "--strict")).code == 0
        plain = await check(farm, running)
        strict = await check(farm, running, "--strict")
    assert (plain.code, strict.code) == (0, 3)
    assert "late: warning (clock): its clock is 2" in plain.stderr
    assert "try: ssh -i" in plain.stderr
    assert "timedatectl" in plain.stderr


async def test_two_names_of_one_machine_are_found(farm: Farm, devices: Path) -> None:
    async with fleet({"a": Properties(), "c": Properties()}, devices) as running:
        text = running.inventory.read_text()
        entry = text[text.index("  a:\n") :].split("  c:\n")[0].replace("  a:\n", "  b:\n")
        running.inventory.write_text(text + entry)
        outcome = await check(farm, running, "--json")
    assert outcome.code == 0, outcome.stderr
    checked = json.loads(outcome.stdout)
    assert rules(checked) == {"a": [("one-machine", "warning")], "c": [], "b": [("one-machine", "warning")]}
    assert "the same machine as b" in checked[0]["findings"][0]["text"]


async def test_a_lease_of_a_run_that_was_killed_is_told(farm: Farm, devices: Path) -> None:
    hanging = Properties(Program(ending=Ending.HANG))
    async with fleet({"one": hanging}, devices) as running:
        words = ("bench", "--inventory", str(running.inventory), "--model", "bundled:tiny", "--rounds", "9")
        process = farm.start(*words)
        lease = running.devices["one"].home / ".cache/farm/lease"
        await asyncio.to_thread(wait, lambda: [*lease.glob("beat.*")])
        held = await check(farm, running, "--json")
        process.kill()
        process.communicate()
        gone = await check(farm, running, "--json")
    assert rules(json.loads(held.stdout)) == {"one": []}
    assert " run " in json.loads(held.stdout)[0]["holder"]
    assert rules(json.loads(gone.stdout)) == {"one": [("holder-gone", "note")]}


async def test_a_device_in_quarantine_by_hand_is_told_and_stays_there(farm: Farm, devices: Path) -> None:
    async with fleet({"one": Properties()}, devices) as running:
        words = ("devices", "quarantine", "one", "--why", "fan is loud", "-i", str(running.inventory))
        assert (await asyncio.to_thread(farm, *words)).code == 0
        outcome = await check(farm, running)
    assert outcome.code == 0
    assert "note (quarantine): in quarantine" in outcome.stderr
    assert "farm devices restore one" in outcome.stderr


async def test_a_device_that_hangs_is_told_by_its_deadline(farm: Farm, devices: Path) -> None:
    async with fleet({"well": Properties(), "hung": HUNG}, devices) as running:
        outcome = await check(farm, running, "--json", "--deadline", "check=3")
    checked = json.loads(outcome.stdout)
    assert rules(checked) == {"well": [], "hung": [("unreachable", "error")]}
    assert "within 3 s (deadline check)" in checked[1]["error"]
    assert "--deadline check=6" in checked[1]["hint"]


# --------------------------------------------------------------------------- again and again


class Watched:
    """`farm devices check --watch`, and what it has printed so far."""

    def __init__(self, farm: Farm, running: Fleet, *words: str) -> None:
        self._out, self._err = farm.folder / "out", farm.folder / "err"
        command = (sys.executable, "-m", "farm", "devices", "check", "--inventory", str(running.inventory))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                (*command, "--watch", "--every", "1", *words),
                cwd=farm.folder, env=farm.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )  # fmt: skip

    @property
    def lines(self) -> list[str]:
        """But for what to do about something, and one that is still being written."""
        return [line for line in self._out.read_text().split("\n")[:-1] if not line.startswith("  ")]

    async def until(self, text: str, times: int = 1) -> None:
        await asyncio.to_thread(wait, lambda: sum(text in line for line in self.lines) >= times)

    async def end(self) -> tuple[int, str]:
        """Ctrl-C; its exit code, and what it said beside."""
        self._process.send_signal(signal.SIGINT)
        try:
            return await asyncio.to_thread(self._process.wait, 60), self._err.read_text()
        finally:
            self._process.kill()


async def test_a_watch_tells_what_changed_and_ends_with_130(farm: Farm, devices: Path) -> None:
    async with fleet({"well": Properties(), "one": Properties()}, devices) as running:
        watched = Watched(farm, running)
        for name in running.devices:
            await watched.until(f" {name}: it answers, free")
        odd = running.devices["one"].home / ".sim" / "bin" / "df"
        odd.write_text(f"#!/bin/sh\n{FULL_DISK}\n")
        odd.chmod(0o755)
        await watched.until("warning (disk)")
        odd.unlink()
        await watched.until("over (disk)")
        code, said = await watched.end()
    assert code == 130, said
    lines = [line.split(" ", 1)[1] for line in watched.lines]
    assert sorted(lines[:2]) == ["one: it answers, free", "well: it answers, free"]
    assert [line.partition(": the disk")[0] for line in lines[2:]] == [
        "one: warning (disk)",
        "one: over (disk)",
    ]
    assert "Traceback" not in said


async def test_a_watch_in_json_is_a_line_for_each_look_and_a_hung_device_holds_up_nobody(
    farm: Farm, devices: Path
) -> None:
    async with fleet({"well": Properties(), "hung": HUNG}, devices) as running:
        watched = Watched(farm, running, "--json", "--deadline", "check=1000")
        await watched.until('"device": "well"', 3)
        code, said = await watched.end()
    assert code == 130, said
    looks = [json.loads(line) for line in watched.lines]
    assert {one["device"] for one in looks} == {"well"}
    assert all(one["at"] and one["findings"] == [] for one in looks)


@pytest.mark.parametrize("words", [("check",), ("clean",), ("release",)], ids=lambda words: words[0])
async def test_a_deadline_that_is_given_holds_for_the_agent_of_each_command(
    farm: Farm, devices: Path, words: tuple[str, ...]
) -> None:
    slow = Properties(login=Login(forced='sleep 3; exec sh -c "$SSH_ORIGINAL_COMMAND"'))
    async with fleet({"slow": slow}, devices) as running:
        given = ("--inventory", str(running.inventory), "--deadline", "agent-start=0.5", "--json")
        outcome = await asyncio.to_thread(farm, "devices", *words, "slow", *given)
    assert outcome.code == 3, outcome.stderr
    (one,) = json.loads(outcome.stdout)
    assert "within 0.5 s (deadline agent-start)" in one["error"]
