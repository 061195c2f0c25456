"""A device that loses its power in a run, and is back a moment later, with another boot id."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from farm.sim.fleet import fleet
from farm.sim.properties import Program, Properties, Strike, Target
from tests.e2e.conftest import Farm, Outcome
from tests.sim.conftest import bench

pytestmark = pytest.mark.sshd

BOOT_ID = "/proc/sys/kernel/random/boot_id"


@pytest.fixture(autouse=True)
def _may_mount() -> None:
    command = ("unshare", "-m", "mount", "--bind", "/proc/version", BOOT_ID)
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount files, for another boot id")


def struck(run: int, lasts_s: float, iteration: int = 1) -> Properties:
    return Properties(
        Program(strikes=(Strike(Target.MACHINE, run=run, iteration=iteration, lasts_s=lasts_s),))
    )


VARIANTS = ("--variant", "plain=", "--variant", "nchw44=--enable-nchw44")


async def bench_board(
    farm: Farm, devices: Path, properties: Properties, words: tuple[str, ...] = VARIANTS
) -> tuple[Outcome, dict[str, Any], Counter[bool]]:
    """Two rounds each: what was said, the results, and how often which variant ran."""
    async with fleet({"board": properties}, devices) as running:
        outcome = await bench(farm, running, *words, "--reconnect", "30")
        runs = Counter("--enable-nchw44" in words for words in running.devices["board"].runs())
        leases = sorted((running.devices["board"].home / ".cache/farm/lease").glob("1*"))
        assert str(leases[-1].readlink()) == "free"
    results: dict[str, Any] = json.loads((farm.folder / "runs/one/results.json").read_text("utf-8"))
    return outcome, results, runs


async def test_a_restart_costs_the_round_that_it_broke(farm: Farm, devices: Path) -> None:
    outcome, results, runs = await bench_board(farm, devices, struck(run=2, lasts_s=2.0))
    assert outcome.code == 0, outcome.stderr
    assert sum(runs.values()) == 5
    assert [(cell["status"], len(cell["rounds"])) for cell in results["cells"]] == [("completed", 2)] * 2
    (restart,) = results["devices"][0]["restarts"]
    note = "timed-0 was repeated: the device was restarted during it (1x)"
    (broken,) = (cell for cell in results["cells"] if note in cell["notes"])
    assert restart["during"] == "timed-0"
    assert restart["cell"] == f"{broken['device']}/{broken['model']}/{broken['variant']}"
    assert "restarted during tiny" in outcome.stderr
    report = (farm.folder / "runs/one/report.html").read_text("utf-8")
    assert "timed-0 was repeated" in report
    journal = (farm.folder / "runs/one/journal.jsonl").read_text("utf-8")
    assert '"restarts":[{' in journal
    assert "1: timed-0 of" in report


@pytest.mark.long
async def test_a_restart_in_a_search_costs_the_search(farm: Farm, devices: Path) -> None:
    outcome, results, runs = await bench_board(farm, devices, struck(1, 0.2, iteration=0), ("--fast-run",))
    assert outcome.code == 0, outcome.stderr
    assert sum(runs.values()) == 4
    ((cell,), (restart,)) = results["cells"], results["devices"][0]["restarts"]
    assert (restart["during"], restart["cell"]) == ("fast-run", f"board/tiny/{cell['variant']}")
    assert "fast-run was repeated: the device was restarted during it (1x)" in cell["notes"]
    assert len(cell["rounds"]) == 2


@pytest.mark.long
async def test_what_restarts_its_device_each_time_is_given_up(farm: Farm, devices: Path) -> None:
    """A cell after its third time, and the device after the fifth in a row."""
    outcome, results, runs = await bench_board(farm, devices, struck(run=0, lasts_s=0.2))
    assert outcome.code == 4, outcome.stderr
    assert sorted(runs.values()) == [2, 3]
    assert [cell["cause"] for cell in results["cells"]] == ["device-restarted"] * 2
    errors = sorted(cell["error"] for cell in results["cells"])
    assert "board was restarted 3 times during timed-0 of this cell" in errors
    assert "board was restarted 5 times in a row without a round that ended" in errors
    assert len(results["devices"][0]["restarts"]) == 5
    assert all("power supply" in cell["hint"] for cell in results["cells"])
