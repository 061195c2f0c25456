"""`farm bisect` on a simulated device: builds in folders or made by a command, and what becomes of bad ones."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Program, Properties
from tests.e2e.conftest import Farm, Outcome, until
from tests.elves import program as written

pytestmark = pytest.mark.sshd

DEVICE = Properties(Program(factors=(("cpu-default", 1.3),), noise=0.003))
CELL = ("--model", "bundled:tiny", "--check", "off", "--iter", "5", "--deadline", "idle=0", "--seed", "1")
CRASH = "#!/bin/sh\necho broken >&2\nexit 3\n"


def builds(running: Fleet, folder: Path, slow_from: int, count: int, crash: int = -1) -> None:
    """Folders v0, v1, ... with a program each, which takes 30 % longer from `slow_from` on."""
    (device,) = running.devices.values()
    text = Path(device.device().runtime.program or "").read_text()
    for number in range(count):
        more = " --cpu-default" if number >= slow_from else ""
        mine = CRASH if number == crash else text.replace('"$@"', f'"$@"{more}') + f"# v{number}\n"
        path = folder / f"v{number}"
        path.mkdir()
        written(path / "load_and_run", mine.encode())


def words(running: Fleet, *more: str) -> tuple[str, ...]:
    return ("bisect", *more, *CELL, "--inventory", str(running.inventory), "--run-id", "one", "--json")


async def bisect(farm: Farm, running: Fleet, *more: str) -> Outcome:
    farm.may_be_slower = True
    return await asyncio.to_thread(farm, *words(running, *more))


@pytest.mark.long
async def test_the_first_slower_build_is_named_with_its_report_past_one_that_crashes(
    farm: Farm, devices: Path, tmp_path: Path
) -> None:
    async with fleet({"arm-1": DEVICE}, devices) as running:
        builds(running, tmp_path, slow_from=1, count=4, crash=2)
        outcome = await bisect(farm, running, "v0", "v3", "--folders", "v*", "--output", "told.md")
    assert outcome.code == 1, outcome.stderr
    told = json.loads(outcome.stdout)
    assert (told["end"], told["first_slower"]["name"], told["first_slower"]["after"]) == ("found", "v1", "v0")
    assert 1.29 < told["first_slower"]["effect"]["low"] < told["first_slower"]["effect"]["high"] < 1.31
    assert told["first_slower"]["share"] == pytest.approx(1, abs=0.03)
    steps = [(one["part"], one["build"], one["against"], one["verdict"]) for one in told["steps"]]
    assert steps == [
        ("ends", "v3", "v0", "slower"),
        ("middle", "v2", "v0", "skipped"),
        ("middle", "v1", "v0", "slower"),
        ("confirm", "v1", "v0", "slower"),
    ]
    assert told["report"] == "runs/one-step-4/report.html"
    assert "default@v1" in (farm.folder / told["report"]).read_text()
    page = (farm.folder / "told.md").read_text()
    assert "the first slower build is v1: v1 is " in page
    assert page == (farm.folder / "runs" / ".bisect" / "one" / "bisect.md").read_text()


MAKE = """#!/bin/sh
echo "made $1" >>made
test "$1" = c1 && { echo c1 does not compile >&2; exit 125; }
mkdir -p build && cp "sources/$1" build/load_and_run && chmod +x build/load_and_run
echo build
"""


@pytest.mark.long
async def test_a_step_that_was_killed_is_measured_again_and_one_that_ended_is_not(
    farm: Farm, devices: Path, tmp_path: Path
) -> None:
    """Each step is built in one folder, over the one before it."""
    made = ("c0", "c2", "--command", "./make {step}", "--steps", "steps.txt")
    async with fleet({"arm-1": DEVICE}, devices) as running:
        builds(running, tmp_path, slow_from=1, count=3)
        (tmp_path / "sources").mkdir()
        for number in range(3):
            (tmp_path / f"v{number}" / "load_and_run").rename(tmp_path / "sources" / f"c{number}")
        (tmp_path / "steps.txt").write_text("# the newest first\nc2\nc1\nc0\n")
        written(tmp_path / "make", MAKE.encode())
        process = farm.start(*words(running, *made))
        journal = farm.folder / "runs" / "one-step-1" / "journal.jsonl"
        await asyncio.to_thread(until, lambda: journal.exists() and journal.stat().st_size > 9000, "a round")
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.communicate)
        resume = [word.replace("--run-id", "--resume") for word in words(running, *made)]
        other = await asyncio.to_thread(farm, *resume, "--enable-nchw44")
        outcome = await asyncio.to_thread(farm, *resume)
        again = await asyncio.to_thread(farm, *resume)
        made_first = (tmp_path / "made").read_text()
        await asyncio.to_thread(takes_only_its_own_run, farm, resume, json.loads(outcome.stdout))
    assert other.code == 2, other.stderr
    changed = " ".join(other.stderr.split())
    assert "options: default=--iter=5 --enable-nchw44, was default=--iter=5" in changed
    assert outcome.code == 5, outcome.stderr
    told = json.loads(outcome.stdout)
    assert (told["end"], told["range"]) == ("skipped", ["c1", "c2"])
    steps = [(one["build"], one["verdict"], one["run"]) for one in told["steps"]]
    assert steps == [("c2", "slower", "one-step-1-again-2"), ("c1", "skipped", None)]
    assert told["steps"][1]["sentence"] == "the command ended with 125: c1 does not compile"
    # Each was made once, though the folder of the command has another build since.
    assert made_first == "made c0\nmade c2\nmade c1\n"
    assert (again.code, json.loads(again.stdout)) == (5, told)


def takes_only_its_own_run(farm: Farm, resume: list[str], told: dict[str, Any]) -> None:
    """A run that ended and was not noted is a step's, and one with its name and another seed is not."""
    forget_steps(farm)
    unnoted = farm(*resume)
    assert "one-step-1-again-2 has ended already" in unnoted.stderr
    assert json.loads(unnoted.stdout)["steps"][0]["sentence"] == told["steps"][0]["sentence"]
    run = farm.folder / "runs" / "one-step-1-again-2" / "results.json"
    run.write_text(json.dumps(json.loads(run.read_text()) | {"seed": 2}))
    forget_steps(farm)
    foreign = farm(*resume)
    assert foreign.code == 2
    assert "is not the one that is asked for: its seed is 2, not 1" in " ".join(foreign.stderr.split())


def forget_steps(farm: Farm) -> None:
    """As where it was killed after a run, and before the run was noted."""
    path = farm.folder / "runs" / ".bisect" / "one" / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"steps": []}))


LATE = """#!/bin/sh
echo "made $1" >>made
test -e broken && exit 3
while test -e hold; do sleep 0.1; done
mkdir -p build && rm -f build/load_and_run && echo build
"""


async def test_a_build_is_made_after_the_bisect_was_noted_and_never_twice_at_a_time(farm: Farm) -> None:
    """GOOD fails, is mended, and goes on; a name that is used is refused before anything is made."""

    def words(name: str, command: str = "./make {step}") -> tuple[str, ...]:
        return ("bisect", "c0", "c1", "--command", command, "--steps", "steps.txt", *CELL, name, "one")

    def said(outcome: Outcome) -> str:
        assert outcome.code == 2
        return " ".join(outcome.stderr.split())

    (farm.folder / "steps.txt").write_text("c0\nc1\n")
    (farm.folder / "broken").touch()
    written(farm.folder / "make", LATE.encode())
    failed = said(await asyncio.to_thread(farm, *words("--run-id")))
    assert "the command for c0 ended with 3" in failed
    assert "--resume one goes on" in failed
    used = said(await asyncio.to_thread(farm, *words("--run-id", "sh ./make {step}")))
    assert "there is a bisect one already" in used
    assert (farm.folder / "made").read_text() == "made c0\n"
    (farm.folder / "runs" / "two-step-1").mkdir()
    for more, says in (
        (("--run-id", "two"), "there is a run two-step-1 already"),
        (("--run-id", "two-3", "--model", "none.mge"), "none.mge"),
        (("--run-id", "two-3", "--devices", "none"), "none"),
    ):
        assert says in said(await asyncio.to_thread(farm, *words("--run-id"), *more))
    assert [one.name for one in (farm.folder / "runs" / ".bisect").iterdir()] == ["one"]
    (farm.folder / "hold").touch()
    (farm.folder / "broken").unlink()
    process = farm.start(*words("--resume"))
    await asyncio.to_thread(until, lambda: (farm.folder / "made").read_text().count("\n") == 2, "c0")
    twice = said(await asyncio.to_thread(farm, *words("--resume")))
    (farm.folder / "hold").unlink()
    mended = said(await asyncio.to_thread(farm.end, process))
    assert "the bisect one goes on already" in twice
    assert "c0 cannot be measured: there is no load_and_run" in mended
    assert (farm.folder / "made").read_text() == "made c0\nmade c0\nmade c1\n"
