"""Comparisons in one lease: what looks changed is confirmed on fresh pairs, as far as the budget goes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from farm.sim.fleet import fleet
from farm.sim.properties import Program, Properties
from tests.e2e.conftest import Farm, Outcome
from tests.sim.conftest import bench

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
    assert phases(results, "nchw44") == phases(results, "plain") == {"screen": 6, "confirm": 10}
    assert verdicts(results) == {"same": "unchanged", "nchw44": "slower"}
    (plan,) = results["phases"]
    assert [(one["cells"][1], one["rounds"]) for one in plan["allotments"]] == [
        ("arm-1/tiny/same", 0),
        ("arm-1/tiny/nchw44", 10),
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
