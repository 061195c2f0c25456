"""Several builds on one device in one lane, and a run that is had again with the bytes that it had."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.files import sha256_of
from farm.inventory.devices import load
from farm.model.matrix import Cell, Plan
from farm.model.run import CellStatus
from farm.plan.baseline import baseline_cells
from farm.run.bench import bench as run_plan
from farm.run.context import Settings
from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Program, Properties
from farm.store.cache.kept import KeptStore
from farm.store.cache.products import ProductStore
from farm.store.cache.programs import ProgramStore
from farm.store.runs import RunDirectory
from tests.e2e.conftest import Farm, Outcome
from tests.elves import HEXAGON, elf
from tests.elves import program as written
from tests.sim.conftest import bench

pytestmark = pytest.mark.sshd

SLOWER = Properties(Program(noise=0.0, factors=(("cpu-default", 3.0),)))


def another_build(running: Fleet, folder: Path, more: str) -> Path:
    """The simulated program of other bytes, with more options."""
    (device,) = running.devices.values()
    text = Path(device.device().runtime.program or "").read_text()
    return written(folder / "lr", text.replace('"$@"', f'"$@" {more}').encode())


def two_columns(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return {cell["build"]: cell for cell in outcome.results["cells"]}


async def test_two_builds_in_one_lane_give_two_columns_of_different_programs(
    farm: Farm, devices: Path, tmp_path: Path
) -> None:
    async with fleet({"arm-1": SLOWER}, devices) as running:
        path = another_build(running, tmp_path, "--cpu-default")
        (devices / "builds.yaml").write_text(
            f"builds: {{new: [{{when: gpus >= 1, runtime: {{kind: wheel}}}}, {{runtime: {{kind: native, program: {path}}}}}],"
            " gpu: [{when: gpus >= 1, runtime: {kind: wheel}}],"
            f" dsp: {{kind: native, program: {written(tmp_path / 'dsp', elf(HEXAGON))}}}}}\n"
        )
        words = [word for name in ("inventory", "new", "gpu", "dsp") for word in ("--build", name)]
        outcome = await bench(farm, running, *words)
    # What one build lacks costs its own cells.
    assert outcome.code == 3, outcome.stderr
    cells = two_columns(outcome)
    assert {name: cell["status"] for name, cell in cells.items()} == {
        "inventory": "completed", "new": "completed", "gpu": "skipped", "dsp": "failed",
    }  # fmt: skip
    assert cells["gpu"]["reason"] == "build gpu has no runtime for arm-1: none of its conditions holds"
    assert (cells["dsp"]["cause"], cells["dsp"]["fault"]) == ("wrong-architecture", "user")
    assert cells["inventory"]["summary"]["median_ms"] == 2.0
    assert cells["new"]["summary"]["median_ms"] == 6.0
    assert cells["new"]["runtime_digest"] == sha256_of(path)
    assert cells["inventory"]["runtime_digest"] == outcome.results["devices"][0]["runtime_digest"]
    assert cells["inventory"]["runtime_digest"] != cells["new"]["runtime_digest"]
    assert cells["new"]["model_sha256"] == cells["inventory"]["model_sha256"] is not None
    assert "load_and_run" in cells["new"]["reproduce"]
    run = farm.folder / "runs" / "one"
    for column in ("default", "default@new"):
        assert (run / "cells" / "arm-1" / "tiny" / column / "timed-1" / "stderr.txt").is_file()
    assert "default@new" in (run / "report.html").read_text()
    shown = farm("runs", "show", "one")
    assert "default@new" in shown.stdout
    assert "arm-1/tiny/default@gpu: skipped: build gpu has no runtime" in shown.stdout


def settings(folder: Path, inventory: Path) -> Settings:
    products, programs = ProductStore(folder / "products"), ProgramStore(folder / "programs")
    kept = KeptStore(folder / "cache" / "kept")
    return Settings("test", inventory.with_name("known_hosts"), (), products, programs, kept=kept)


PLAN = Plan((), (), (), (), (), rounds=2, seed=1)


async def test_what_was_pushed_is_measured_again_after_its_build_was_overwritten(
    farm: Farm, devices: Path, tmp_path: Path
) -> None:
    async with fleet({"arm-1": SLOWER}, devices) as running:
        path = another_build(running, tmp_path, "--cpu-default")
        (devices / "builds.yaml").write_text(f"builds: {{new: {{kind: native, program: {path}}}}}\n")
        outcome = await bench(farm, running, "--build", "new")
        assert outcome.code == 0, outcome.stderr
        path.write_text("#!/bin/sh\necho of today; exit 1\n")
        run = RunDirectory(farm.folder / "runs" / "one")
        results = await asyncio.to_thread(run.results)
        made = settings(tmp_path, running.inventory)
        (cell,) = await asyncio.to_thread(
            baseline_cells, run, results, load(running.inventory).devices, made.kept
        )
        assert isinstance(cell, Cell), cell
        plan = replace(PLAN, devices=load(running.inventory).devices, models=(cell.model,), cells=(cell,))
        again = await run_plan(
            plan, RunDirectory.create(tmp_path / "again", "two"), None, made, lambda _: None
        )
    (old,), (new,) = results.cells, again.cells
    assert new.status is CellStatus.COMPLETED, new.error
    assert (old.id, new.id) == ("arm-1/tiny/default@new", "arm-1/tiny/default@baseline-new")
    assert new.summary.median_ms == old.summary.median_ms == 6.0
    assert new.runtime_digest == old.runtime_digest
    assert (new.model_sha256, new.input_sha256, new.options_sha256) == (
        old.model_sha256, old.input_sha256, old.options_sha256,
    )  # fmt: skip
