"""Comparisons in one lease: what looks changed is confirmed on fresh pairs, as far as the budget goes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from farm.sim.fleet import fleet
from farm.sim.properties import Program, Properties
from tests.e2e.conftest import Farm, Outcome
from tests.sim.conftest import bench
from tests.sim.test_builds import another_build

pytestmark = pytest.mark.sshd

SLOWER = Program(factors=(("enable-nchw44", 1.1),), noise=0.005)
VARIANTS = ("--variant", "plain=", "--variant", "same=--cpu", "--variant", "nchw44=--enable-nchw44")


Results = dict[str, Any]


async def bench_one(
    farm: Farm, devices: Path, *words: str, program: Program = SLOWER
) -> tuple[Outcome, Results]:
    farm.may_be_slower = True
    async with fleet({"arm-1": Properties(program)}, devices) as running:
        outcome = await bench(farm, running, *words)
    results: Results = json.loads((farm.folder / "runs/one/results.json").read_text("utf-8"))
    return outcome, results


def phases(results: Results, variant: str, build: str = "inventory") -> Counter[str]:
    """How many timed rounds a cell has of which phase, those not counted that were repeated: this machine may
    be busy with other tests.
    """
    cells = (one for one in results["cells"] if (one["variant"], one["build"]) == (variant, build))
    return Counter(
        one["phase"]
        for cell in cells
        for one in cell["rounds"]
        if one["kind"] == "timed" and not one["attempt"]
    )


def verdicts(results: Results) -> dict[str, str]:
    return {one["candidate"].removeprefix("arm-1/tiny/"): one["verdict"] for one in results["comparisons"]}


async def test_what_is_slower_is_confirmed_on_fresh_pairs_and_what_is_the_same_is_not(
    farm: Farm, devices: Path
) -> None:
    words = ("--ab", "plain,same,nchw44", "--rounds", "6", "--seed", "1")
    outcome, results = await bench_one(farm, devices, *VARIANTS, *words)
    assert outcome.code == 1, outcome.stderr
    assert phases(results, "same") == {"screen": 6}
    assert phases(results, "nchw44") == phases(results, "plain") == {"screen": 6, "confirm": 20}
    assert verdicts(results) == {"same": "unchanged", "nchw44": "slower"}
    (plan,) = results["phases"]
    assert [(one["cells"][1], one["rounds"]) for one in plan["allotments"]] == [
        ("arm-1/tiny/same", 0),
        ("arm-1/tiny/nchw44", 20),
    ]


async def test_a_budget_that_is_too_small_leaves_it_open_and_the_canary_is_measured(
    farm: Farm, devices: Path
) -> None:
    words = ("--ab", "plain,nchw44", "--rounds", "3", "--budget", "0.001", "--canary")
    outcome, results = await bench_one(farm, devices, *VARIANTS, *words)
    assert outcome.code == 5, outcome.stderr
    assert phases(results, "plain") == phases(results, "plain", "canary") == {"screen": 1}
    assert "the budget of 0.001 s was over after 1 of 3 blocks" in outcome.stderr
    (canary,) = (one for one in results["comparisons"] if one["is_canary"])
    assert canary["candidate"] == "arm-1/tiny/plain@canary"
    assert "slower" not in {one["verdict"] for one in results["comparisons"]}


@pytest.mark.long
async def test_a_build_that_became_slower_is_confirmed_against_the_bytes_of_an_earlier_run(
    farm: Farm, devices: Path, tmp_path: Path
) -> None:
    """Which were overwritten meanwhile."""
    farm.may_be_slower = True
    program = Program(factors=(("cpu-default", 1.1),), noise=0.003)
    async with fleet({"arm-1": Properties(program)}, devices) as running:
        path = another_build(running, tmp_path, "")
        (devices / "builds.yaml").write_text(f"builds: {{new: {{kind: native, program: {path}}}}}\n")
        words = ("--build", "new", "--rounds", "6")
        outcome = await bench(farm, running, *words, "--run-id", "old")
        assert outcome.code == 0, outcome.stderr
        another_build(running, tmp_path, "--cpu-default")
        outcome = await bench(farm, running, *words, "--baseline", "latest")
    assert outcome.code == 1, outcome.stderr
    results = outcome.results
    (one,) = results["comparisons"]
    assert (one["verdict"], one["baseline_run"]) == ("slower", "old")
    assert (one["baseline"], one["candidate"]) == (
        "arm-1/tiny/default@baseline-new",
        "arm-1/tiny/default@new",
    )
    assert phases(results, "default", "new") == {"screen": 6, "confirm": 20}
    assert phases(results, "default", "baseline-new") == {"confirm": 20}


@pytest.mark.long
async def test_two_runs_that_are_over_are_confirmed_with_what_was_kept_of_both(
    farm: Farm, devices: Path, tmp_path: Path
) -> None:
    farm.may_be_slower = True
    program = Program(factors=(("cpu-default", 1.1),), noise=0.003)
    async with fleet({"arm-1": Properties(program)}, devices) as running:
        path = another_build(running, tmp_path, "")
        (devices / "builds.yaml").write_text(f"builds: {{new: {{kind: native, program: {path}}}}}\n")
        words = ("--build", "new", "--rounds", "6")
        await bench(farm, running, *words, "--run-id", "old")
        another_build(running, tmp_path, "--cpu-default")
        await bench(farm, running, *words)
        path.unlink()
        asked = ("compare", "old", "one", "--inventory", str(running.inventory), "--json")
        before = await asyncio.to_thread(farm, *asked)
        after = await asyncio.to_thread(farm, *asked, "--confirm")
    assert (before.code, after.code) == (5, 1), after.stderr
    (one,) = after.results["comparisons"]
    assert (one["verdict"], one["confirm"]["n"]) == ("slower", 10)


async def test_what_cannot_be_confirmed_stays_open(farm: Farm, devices: Path) -> None:
    """Two runs of which nothing was kept."""
    farm.environment["FARM_KEPT_SHARE"] = "0"
    async with fleet({"arm-1": Properties()}, devices) as running:
        for name in ("old", "one"):
            outcome = await bench(farm, running, "--run-id", name, "--rounds", "1")
            assert outcome.code == 0, outcome.stderr
        asked = ("compare", "old", "one", "--confirm", "--inventory", str(running.inventory))
        outcome = await asyncio.to_thread(farm, *asked)
        assert len(running.devices["arm-1"].runs()) == 2
    assert outcome.code == 5, outcome.stderr
    assert "nothing can be confirmed of old and one: arm-1/tiny/default of old" in outcome.stderr


async def test_two_nights_of_the_usual_few_rounds_are_decided_by_fresh_pairs(
    farm: Farm, devices: Path
) -> None:
    quiet = Program(noise=0.001)
    async with fleet({"arm-1": Properties(quiet)}, devices) as running:
        given = ("bench", "--inventory", str(running.inventory), "--model", "bundled:tiny", "--iter", "10")
        before = await asyncio.to_thread(farm, *given, "--run-id", "before")
        after = await asyncio.to_thread(farm, *given, "--run-id", "after", "--baseline", "before")
    assert (before.code, after.code) == (0, 0), after.stderr
    results: Results = json.loads((farm.folder / "runs/after/results.json").read_text("utf-8"))
    (one,) = results["comparisons"]
    assert (one["verdict"], one["confirm"]["n"]) == ("unchanged", 20)
