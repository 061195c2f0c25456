"""Night after night on simulated devices: what is new is told once, and by its exit code a scheduler knows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Program, Properties
from tests.e2e.conftest import Farm, Outcome
from tests.sim.test_builds import another_build
from tests.unit.nightly.test_notify import Server

pytestmark = pytest.mark.sshd

PROGRAM = Program(factors=(("cpu-default", 1.3),), noise=0.003)
SLOW = "--cpu-default"
CELL = "arm-1/tiny/default@new"


class Nights:
    """`farm nightly` with a build that changes from night to night, and who is told."""

    def __init__(self, farm: Farm, devices: Path) -> None:
        self.farm, self.devices = farm, devices
        self.server = Server(200)
        farm.environment["HOOK"] = self.server.url
        self.suite = farm.folder / "lab.yaml"
        self.write()

    def write(self, builds: str = "new", **more: Any) -> None:
        night = {"notify": [{"webhook": "$HOOK"}], "site": "public", **more}
        models = {"tiny": "bundled:tiny"}
        self.suite.write_text(
            json.dumps({"models": models, "builds": builds, "rounds": 6, "canary": False, "nightly": night})
        )

    def build(self, running: Fleet, more: str) -> None:
        path = another_build(running, self.farm.folder, more)
        (self.devices / "builds.yaml").write_text(f"builds: {{new: {{kind: native, program: {path}}}}}\n")

    async def __call__(self, running: Fleet, name: str) -> Outcome:
        where = ("--inventory", str(running.inventory), "--run-id", name)
        words = ("nightly", "lab.yaml", *where, "--deadline", "notify=3", "--json")
        return await asyncio.to_thread(self.farm, *words)

    def told(self) -> list[list[str]]:
        """The kinds of news of each message since the last time."""
        found = [[one["kind"] for one in json.loads(body)["news"]] for _, body in self.server.got]
        self.server.got.clear()
        return found


@pytest.fixture
def nights(farm: Farm, devices: Path) -> Iterator[Nights]:
    made = Nights(farm, devices)
    yield made
    made.server.close()


@pytest.mark.long
async def test_a_regression_is_told_by_the_night_that_finds_it(
    farm: Farm, devices: Path, nights: Nights
) -> None:
    farm.may_be_slower = True
    async with fleet({"arm-1": Properties(PROGRAM)}, devices) as running:
        nights.build(running, "")
        first = await nights(running, "one")
        assert (first.code, nights.told()) == (0, []), first.stderr
        assert "no good night yet" in first.stderr
        nights.build(running, SLOW)
        second = await nights(running, "two")
    assert second.code == 1, second.stderr
    assert nights.told() == [["slower"]]
    message = json.loads(second.stdout)
    assert message["news"][0]["cell"] == CELL
    assert "slower than run one (95 %: " in message["news"][0]["text"]
    assert CELL in Path(farm.folder, message["report"]).read_text()
    assert (farm.folder / "public" / "runs" / "two" / "report.html").is_file()
    assert farm("runs", "show", "tag:nightly-lab-good").stdout.startswith("one: ")
    (series,) = json.loads(farm("history", "--json").stdout)
    assert [one["run"] for one in series["points"]] == ["one", "two"]


@pytest.mark.long
async def test_what_ends_is_told_and_what_is_accepted_is_not(
    farm: Farm, devices: Path, nights: Nights
) -> None:
    farm.may_be_slower = True
    known = {"cells": "arm-*/tiny/*", "why": "padding", "who": "lee", "until": "2999-01-01"}
    async with fleet({"arm-1": Properties(PROGRAM)}, devices) as running:
        codes = []
        for name, more in (("one", ""), ("two", SLOW), ("again", SLOW), ("three", ""), ("four", SLOW)):
            nights.build(running, more)
            night = await nights(running, name)
            codes.append(night.code)
            if name == "again":
                still = json.loads(night.stdout)["still_open"]
                assert [(one["cell"], one["since"]) for one in still] == [(CELL, "two")]
        assert codes == [0, 1, 1, 0, 1]
        assert nights.told() == [["slower"], ["ended"], ["slower"]]
        (farm.folder / "known.yaml").write_text(json.dumps({"acknowledged": [known]}))
        nights.write(acknowledged="known.yaml")
        accepted = await nights(running, "five")
        assert (accepted.code, nights.told()) == (0, []), accepted.stderr
        assert "accepted by lee" in json.loads(accepted.stdout)["acknowledged"][0]
        # It is compared with the night before it for as long as it is accepted.
        assert farm("runs", "show", "tag:nightly-lab-good").stdout.startswith("three: ")
        (farm.folder / "known.yaml").unlink()
        nights.write()
        assert ((await nights(running, "six")).code, nights.told()) == (1, [["slower"]])
        await asyncio.to_thread(farm, "runs", "tag", "six", "nightly-lab-good", "--move")
        seventh = await nights(running, "seven")
        assert (seventh.code, nights.told()) == (0, [["ended"]]), seventh.stderr


@pytest.mark.long
async def test_nights_that_cannot_run_or_measure_too_little_are_news(
    farm: Farm, devices: Path, nights: Nights
) -> None:
    async with fleet({"arm-1": Properties(PROGRAM), "arm-2": Properties(PROGRAM)}, devices) as running:
        nights.write("inventory")
        assert (await nights(running, "one")).code == 0
        assert (await nights(running, "one")).code == 2  # its name is taken
        assert nights.told() == [["not-run"]]
        nights.write("inventory", baseline=["last-good", "tag:gone"])
        assert (await nights(running, "two")).code == 0
        assert nights.told() == [["not-compared", "ended"]]
        nights.server.close()
        port = f"port: {running.devices['arm-2'].port}"
        running.inventory.write_text(running.inventory.read_text().replace(port, "port: 1"))
        lost = await nights(running, "three")
        assert lost.code == 3, lost.stderr
        assert "the webhook at 127.0.0.1 was not told" in lost.stderr
        assert [one["kind"] for one in json.loads(lost.stdout)["news"]] == ["few-measured"]
        nights.server = Server(200)
        farm.environment["HOOK"] = nights.server.url
        assert (await nights(running, "four")).code == 3
        assert nights.told() == [["few-measured"]]


@pytest.mark.long
async def test_a_device_that_fails_is_left_out_until_it_passes_its_check(
    farm: Farm, devices: Path, nights: Nights
) -> None:
    async with fleet({"arm-1": Properties(PROGRAM), "arm-2": Properties(PROGRAM)}, devices) as running:
        nights.write("inventory", **{"quarantine-days": 2, "min-measured": "50%"})
        whole = running.inventory.read_text()
        port = f"port: {running.devices['arm-2'].port}"
        running.inventory.write_text(whole.replace(port, "port: 1"))
        assert (await nights(running, "one")).code == 3
        assert nights.told() == [["quarantined"]]
        where = ("--inventory", str(running.inventory))
        plan = await asyncio.to_thread(farm, "plan", "--model", "bundled:tiny", *where)
        assert "in quarantine until " in plan.stdout
        second = await nights(running, "two")
        assert (second.code, nights.told()) == (0, []), second.stderr
        assert [one["status"] for one in json.loads(Path(farm.folder, "runs/two/results.json").read_text())["cells"]] == [
            "completed", "skipped",
        ]  # fmt: skip
        running.inventory.write_text(whole)
        third = await nights(running, "three")
        # It has no time in the night before, so that one comparison stays undecided.
        assert (third.code, nights.told()) == (5, [["ended"]]), third.stderr
        assert "arm-2: released from quarantine" in third.stderr
        assert json.loads(third.stdout)["news"][0]["text"].startswith(
            "arm-2: in plans again (held since one)"
        )
