"""Runs whose controller is killed or stopped, and what goes on with them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.sim.device import SimulatedDevice
from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Login, Program, Properties
from farm.store.journal import read_journal
from tests.e2e.conftest import Farm, Outcome
from tests.forked import Forked

pytestmark = pytest.mark.sshd

# Rounds of about half a second, so that there is a middle to be killed in.
SLOW = Properties(Program(latency_ms=20.0, pace=1.0))
ASKED = (
    *("--model", "bundled:tiny", "--variant", "plain=", "--variant", "nchw44=--enable-nchw44"),
    *("--rounds", "3", "--iter", "20", "--check", "off", "--run-id", "one", "--json"),
)
LEASE_S = 5.0  # so long a lease lives without a sign of life with these
SHORT = (
    *(
        "--deadline",
        "beat=0.5",
        "--deadline",
        "keepalive=0.3",
        "--deadline",
        "reply=1",
        "--deadline",
        "connect=2",
    ),
    *("--reconnect", "1"),
)


def start(farm: Farm, running: Fleet, *words: str) -> Forked:
    return farm.start("bench", "--inventory", str(running.inventory), *ASKED, *words)


async def resume(farm: Farm, *words: str) -> Outcome:
    return await asyncio.to_thread(farm, "runs", "resume", "one", "--json", *words)


async def until_in_a_round(farm: Farm, device: SimulatedDevice, rounds: int) -> None:
    """So many rounds are on disk, and the next one runs."""
    journal = farm.folder / "runs" / "one" / "journal.jsonl"
    async with asyncio.timeout(60):
        while True:
            done = journal.exists() and sum(e.event == "round" for e in read_journal(journal).events)
            if done == rounds and len(device.runs()) == rounds + 1:
                return
            await asyncio.sleep(0.02)


def lease_of(device: SimulatedDevice) -> str:
    """The text of the lease that counts."""
    return str(max((device.home / ".cache/farm/lease").glob("1*")).readlink())


async def kill(process: Forked) -> None:
    os.kill(process.pid, signal.SIGKILL)
    await asyncio.to_thread(process.communicate)


def rounds_of(results: dict[str, Any]) -> dict[str, list[str]]:
    """By cell."""
    return {
        f"{cell['device']} {cell['variant']}": [f"{one['kind']}-{one['index']}" for one in cell["rounds"]]
        for cell in results["cells"]
    }


WHOLE = {f"board {name}": ["timed-0", "timed-1", "timed-2"] for name in ("plain", "nchw44")}


@pytest.mark.parametrize("pause_s", [0.0, 3.0], ids=["while its round runs", "after its round has ended"])
async def test_what_a_killed_controller_had_begun_is_gone_on_with(
    farm: Farm, devices: Path, pause_s: float
) -> None:
    async with fleet({"board": SLOW}, devices) as running:
        board = running.devices["board"]
        process = start(farm, running)
        await until_in_a_round(farm, board, 2)
        await kill(process)
        await asyncio.sleep(pause_s)
        outcome = await resume(farm)
        assert outcome.code == 0, outcome.stderr
        assert len(board.runs()) == 6, "a round was run twice"
        assert lease_of(board) == "free"
        assert not list((board.home / ".cache/farm/spool").iterdir())
        assert not board.running()
    results = outcome.results
    assert rounds_of(results) == WHOLE
    notes = Counter(note for cell in results["cells"] for one in cell["rounds"] for note in one["notes"])
    assert sum("while no process of farm was there" in note for note in notes.elements()) == 1
    assert results["status"] == "completed"
    assert len(results["resumed"]) == 1
    report = (farm.folder / "runs/one/report.html").read_text("utf-8")
    assert "resumed" in report


@pytest.mark.long
async def test_a_controller_that_slept_for_longer_than_its_lease_loses_no_round(
    farm: Farm, devices: Path
) -> None:
    async with fleet({"board": SLOW}, devices) as running:
        board = running.devices["board"]
        process = start(farm, running, *SHORT)
        try:
            await until_in_a_round(farm, board, 2)
            os.kill(process.pid, signal.SIGSTOP)
            await asyncio.sleep(LEASE_S + 2)
        finally:
            os.kill(process.pid, signal.SIGCONT)
        outcome = await asyncio.to_thread(farm.end, process)
    assert outcome.code == 0, outcome.stderr
    assert rounds_of(outcome.results) == WHOLE
    assert "the lease ran out meanwhile" in outcome.stderr


async def test_ctrl_c_and_resume_is_one_run(farm: Farm, devices: Path) -> None:
    async with fleet({"board": SLOW}, devices) as running:
        process = start(farm, running)
        await until_in_a_round(farm, running.devices["board"], 1)
        interrupted = await asyncio.to_thread(farm.interrupt, process, signal.SIGINT)
        assert interrupted.code == 130
        outcome = await resume(farm)
        again = await resume(farm)
    assert outcome.code == 0, outcome.stderr
    assert rounds_of(outcome.results) == WHOLE
    assert "2 of 2 cells are not complete, 1 rounds are kept" in outcome.stderr
    assert again.code == 0
    assert "nothing is left of one" in again.stderr
    assert again.results == outcome.results


async def test_a_model_that_changed_meanwhile_is_not_mixed_into_the_run(farm: Farm, devices: Path) -> None:
    model = farm.folder / "m.mge"
    model.write_bytes((Path(__file__).parents[2] / "farm/bundled/tiny.mge").read_bytes())
    words = ("--model", str(model), "--rounds", "2", "--check", "off", "--run-id", "one", "--json")
    async with fleet({"board": SLOW}, devices) as running:
        process = farm.start("bench", "--inventory", str(running.inventory), *words)
        await until_in_a_round(farm, running.devices["board"], 1)
        await kill(process)
        model.write_bytes((Path(__file__).parents[2] / "farm/bundled/two_inputs.mge").read_bytes())
        outcome = await resume(farm)
    assert outcome.code == 2
    assert "the model of board/m/default changed" in outcome.stderr
    kept = await asyncio.to_thread(farm, "runs", "show", "one", "--json")
    assert len(json.loads(kept.stdout)["cells"][0]["rounds"]) == 1


async def test_a_run_that_goes_on_is_not_resumed(farm: Farm, devices: Path) -> None:
    async with fleet({"board": SLOW}, devices) as running:
        process = start(farm, running)
        await until_in_a_round(farm, running.devices["board"], 1)
        outcome = await resume(farm)
        finished = await asyncio.to_thread(farm.end, process)
    assert outcome.code == 2
    assert "run one still goes on" in outcome.stderr
    assert finished.code == 0


async def test_a_lease_that_is_broken_on_purpose_ends_the_run_on_that_device(
    farm: Farm, devices: Path
) -> None:
    async with fleet({"board": SLOW}, devices) as running:
        board = running.devices["board"]
        where = ("--inventory", str(running.inventory))
        process = start(farm, running)
        await until_in_a_round(farm, board, 1)
        shown = await asyncio.to_thread(farm, "devices", "release", "board", *where)
        assert "run one (since" in shown.stdout
        broken = await asyncio.to_thread(farm, "devices", "release", "board", "--yes", "--json", *where)
        assert broken.code == 0, broken.stderr
        assert json.loads(broken.stdout)[0]["is_broken"]
        outcome = await asyncio.to_thread(farm.end, process)
        assert outcome.code in (3, 4)
        (error, *_) = {cell["error"] for cell in outcome.results["cells"]}
        assert "its lease was broken by" in error
        again = await resume(farm)
    assert again.code == 0, again.stderr
    assert rounds_of(again.results) == WHOLE


SAME = "another device of this run is the same one"


@pytest.mark.parametrize(
    ("change", "shared", "told"),
    [
        pytest.param({}, True, SAME, marks=pytest.mark.long),
        ({"workdir": "~/elsewhere"}, True, SAME),
        pytest.param({"workdir": "~/elsewhere"}, False, "it is the same machine as", marks=pytest.mark.long),
    ],
    ids=["one folder", "two folders", "two folders, no lock of the machine"],
)
async def test_two_names_of_one_machine_are_never_measured_at_the_same_time(
    farm: Farm, devices: Path, change: dict[str, str], shared: bool, told: str
) -> None:
    meets = Login() if shared else Login(environment=(("FARM_SHARED", "/dev/null"),))
    async with fleet({"board": replace(SLOW, login=meets)}, devices) as running:
        entry = running.devices["board"].entry()
        both = {"devices": {"board": entry, "other": entry | change}}
        running.inventory.write_text(json.dumps(both), "utf-8")
        process = start(farm, running)
        outcome = await asyncio.to_thread(farm.end, process)
    assert outcome.code == 0, outcome.stderr
    assert told in outcome.stderr
    spans = {
        name: [
            one["started_at"]
            for cell in outcome.results["cells"]
            if cell["device"] == name
            for one in cell["rounds"]
        ]
        for name in ("board", "other")
    }
    first, second = sorted(spans.values(), key=min)
    assert max(first) < min(second)
