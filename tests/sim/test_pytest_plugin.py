"""`assert_not_slower` in sessions of a user, on simulated devices whose times are known."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Program, Properties
from tests.e2e.conftest import Farm
from tests.sim.test_builds import another_build

pytestmark = pytest.mark.sshd

PROGRAM = Program(factors=(("cpu-default", 3.0),), noise=0.003)
UPDATE = "--farm-update-baseline"
PLAIN = (
    "-W", "error", *(word for name in ("asyncio", "cov", "hypothesispytest") for word in ("-p", f"no:{name}")),
)  # fmt: skip
FEW = ("-k", "new or fail or skip")
WORDS = """
import pytest

GIVEN = {"models": "bundled:tiny", "inventory": %r, "builds_file": "builds.yaml", "minimum_effect": "50%%"}

def test_new(assert_not_slower):
    assert_not_slower(builds="new", rounds=6, undecided="pass", **GIVEN)

def test_same(assert_not_slower):
    run = assert_not_slower(builds="same", rounds=6, **GIVEN)
    assert run.exit_code == 0

@pytest.mark.parametrize("undecided", ["fail", "skip", "pass"])
def test_undecided(assert_not_slower, monkeypatch, undecided):
    monkeypatch.setenv("FARM_KEPT_SHARE", "0")  # so that no baseline can be measured again
    assert_not_slower(builds="same", rounds=1, undecided=undecided, **GIVEN)
"""


class Sessions:
    """Of a user, in a folder with one file of tests."""

    def __init__(self, farm: Farm, running: Fleet) -> None:
        self.farm = farm
        (farm.folder / "test_it.py").write_text(WORDS % str(running.inventory))
        self._same = self._program(running, "same", "")
        # pytest prints a message twice where one of these is set.
        ci = ("CI", "BUILD_NUMBER")
        self._environment = {name: text for name, text in farm.environment.items() if name not in ci}

    def build(self, running: Fleet, more: str) -> None:
        builds = {"same": self._same, "new": self._program(running, "new", more)}
        text = ", ".join(f"{name}: {{kind: native, program: {path}}}" for name, path in builds.items())
        (self.farm.folder / "builds.yaml").write_text(f"builds: {{{text}}}\n")

    def _program(self, running: Fleet, name: str, more: str) -> Path:
        folder = self.farm.folder / name
        folder.mkdir(exist_ok=True)
        return another_build(running, folder, more)

    async def __call__(self, *words: str) -> list[str]:
        """What pytest printed."""
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-m", "pytest", "--basetemp=tmp", *PLAIN, *words], cwd=self.farm.folder,
            env=self._environment, capture_output=True, text=True, check=False, timeout=200,
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout.splitlines()


@pytest.mark.long
async def test_only_what_is_slower_than_its_baseline_fails(farm: Farm, devices: Path) -> None:
    async with fleet({"arm-1": Properties(PROGRAM)}, devices) as running:
        session = Sessions(farm, running)
        session.build(running, "")
        updated = await session(UPDATE, *FEW)
        session.build(running, "--cpu-default")
        compared = await session(*FEW)
    assert re.search(r"3 passed, 2 deselected in ", updated[-1]), updated
    told = r"^test_it.py::.*: tag:pytest-\S+ is now the run \S+, report: /"
    assert len([line for line in updated if re.search(told, line)]) == 3
    assert re.search(r"2 failed, 1 skipped, 2 deselected in ", compared[-1]), compared
    assert "undecided:" in compared
    open_ = [line for line in compared if line.startswith("  ? ")]
    assert any(line.startswith("  ? arm-1/tiny/default@same: not decided: ") for line in open_), compared
    assert "slower, or wrong outputs:" in compared
    (line,) = [line for line in compared if "arm-1/tiny/default@new: " in line]
    words = r"this run is 2\d\d % slower than run \S+ \(95 %: [\d.]+ to [\d.]+ %\), \d+ fresh pairs"
    assert re.search(words, line), line
    report = compared[compared.index(line) + 1].removeprefix("  report: ")
    assert Path(report).is_file()
    (told_,) = [line for line in compared if line.startswith("test_it.py::test_new: ")]
    assert told_.endswith(f"), report: {report}")


@pytest.mark.long
async def test_what_did_not_change_or_may_be_undecided_passes(farm: Farm, devices: Path) -> None:
    async with fleet({"arm-1": Properties(PROGRAM)}, devices) as running:
        session = Sessions(farm, running)
        session.build(running, "")
        await session(UPDATE, "-k", "same or pass")
        compared = await session("-k", "same or pass")
    assert re.search(r"2 passed, 3 deselected in ", compared[-1]), compared


@pytest.mark.long
async def test_workers_wait_for_a_device_that_another_one_uses(farm: Farm, devices: Path) -> None:
    async with fleet({"arm-1": Properties(PROGRAM)}, devices) as running:
        session = Sessions(farm, running)
        session.build(running, "")
        done = await session(UPDATE, "-n", "2", "-k", "new or same")
    assert re.search(r"2 passed in ", done[-1]), done
    assert len([line for line in done if " is now the run " in line]) == 2
