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
    """How many timed rounds a cell has of which phase."""
    cells = (one for one in results["cells"] if (one["variant"], one["build"]) == (variant, build))
    return Counter(one["phase"] for cell in cells for one in cell["rounds"])


def verdicts(results: Results) -> dict[str, str]:
    return {one["candidate"].removeprefix("arm-1/tiny/"): one["verdict"] for one in results["comparisons"]}


async def test_what_is_slower_is_confirmed_on_fresh_pairs_and_what_is_the_same_is_not(
    farm: Farm, devices: Path
) -> None:
    words = ("--ab", "plain,same,nchw44", "--rounds", "10", "--seed", "1")
    outcome, results = await bench_one(farm, devices, *VARIANTS, *words)
    assert outcome.code == 1, outcome.stderr
    assert phases(results, "same") == {"screen": 10}
    assert phases(results, "nchw44") == phases(results, "plain") == {"screen": 10, "confirm": 10}
    assert verdicts(results) == {"same": "unchanged", "nchw44": "slower"}
    (plan,) = results["phases"]
    assert [(one["cells"][1], one["rounds"]) for one in plan["allotments"]] == [
        ("arm-1/tiny/same", 0),
        ("arm-1/tiny/nchw44", 10),
    ]
