"""Outputs before times: what `farm bench` makes of devices and variants that compute other numbers."""

from __future__ import annotations

import asyncio
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from farm.sim.fleet import fleet
from farm.sim.properties import Program, Properties, Tensor
from tests.e2e.conftest import ROOT, Farm, Outcome
from tests.sim.conftest import bench

pytestmark = pytest.mark.sshd

VALUES = (0.25, 0.5, -1.0, 2.0, 3.0)
OUT = Tensor(VALUES, (1, 10), "prob")


def verdicts(outcome: Outcome, against: str) -> dict[str, str]:
    """By cell."""
    checks = outcome.results["outputs"]
    return {check["cell"]: check["verdict"] for check in checks if check["against"] == against}


def sentence(outcome: Outcome, against: str, cell: str) -> str:
    checks = outcome.results["outputs"]
    return next(one["sentence"] for one in checks if (one["against"], one["cell"]) == (against, cell))


async def test_outputs_are_compared_with_golden_files_across_variants_and_across_devices(
    farm: Farm, devices: Path
) -> None:
    """arm-2 computes NaN with one option, arm-3 something else each time."""
    small, large = ("enable-nchw44", 1e-4), ("enable-nchw88", 1e-2)
    wanted = {
        "arm-1": Properties(Program(outputs=(OUT,), shifts=(small, large))),
        "arm-2": Properties(Program(outputs=(OUT,), shifts=(("enable-nchw88", math.nan),))),
        "arm-3": Properties(Program(outputs=(OUT,), drift=0.5)),
    }
    golden = farm.folder / "golden.npy"
    np.save(golden, np.array([VALUES * 2]))
    variants = ("plain=", "small=--enable-nchw44", "large=--enable-nchw88")
    words = [word for text in variants for word in ("--variant", text)]
    async with fleet(wanted, devices) as running:
        outcome = await bench(farm, running, *words, "--golden", f"tiny:{golden}", "--rounds", "1")
    assert outcome.code == 1, outcome.stderr
    assert verdicts(outcome, "itself") == {
        "arm-1/tiny/plain": "equal",
        "arm-1/tiny/small": "equal",
        "arm-1/tiny/large": "equal",
        "arm-2/tiny/plain": "equal",
        "arm-2/tiny/small": "equal",
        "arm-2/tiny/large": "equal",
        "arm-3/tiny/plain": "not-comparable",
        "arm-3/tiny/small": "not-comparable",
        "arm-3/tiny/large": "not-comparable",
    }
    assert "tiny differs from itself" in sentence(outcome, "itself", "arm-3/tiny/plain")
    assert verdicts(outcome, "golden") == {
        "arm-1/tiny/plain": "equal",
        "arm-1/tiny/small": "within",
        "arm-1/tiny/large": "wrong",
        "arm-2/tiny/plain": "equal",
        "arm-2/tiny/small": "equal",
        "arm-2/tiny/large": "wrong",
        "arm-3/tiny/plain": "not-comparable",
        "arm-3/tiny/small": "not-comparable",
        "arm-3/tiny/large": "not-comparable",
    }
    assert verdicts(outcome, "variant") == {
        "arm-1/tiny/small": "within",
        "arm-1/tiny/large": "finding",
        "arm-2/tiny/small": "equal",
        "arm-2/tiny/large": "finding",
    }
    assert verdicts(outcome, "device") == {"arm-2/tiny/plain": "equal", "arm-2/tiny/small": "within"}
    (wrong,) = outcome.cells(device="arm-1", variant="large")
    assert (wrong["status"], wrong["cause"], wrong["summary"]) == ("failed", "wrong-outputs", None)
    assert "10 of 10 values beyond rtol 0.001, atol 3e-05, largest difference 0.01" in wrong["error"]
    # One more process for the first cell of each variant; the wrong ones are not timed.
    rounds = {cell["variant"]: len(cell["rounds"]) for cell in outcome.cells(device="arm-1")}
    assert rounds == {"plain": 3, "small": 3, "large": 2}
    assert "farm report" in (farm.folder / "runs" / "one" / "report.html").read_text()


async def test_a_build_that_was_overwritten_by_one_that_computes_something_else_is_wrong(
    farm: Farm, devices: Path, tmp_path: Path
) -> None:
    """The old bytes are run again beside the new ones, on the same random numbers; so it is known which is new."""
    properties = Properties(Program(outputs=(OUT,), shifts=(("cpu-default", 0.5),)))
    shutil.copy(ROOT / "farm" / "bundled" / "tiny.mge", tmp_path / "blank.mge")
    async with fleet({"arm-1": properties}, devices) as running:
        (device,) = running.devices.values()
        text = Path(device.device().runtime.program or "").read_text()
        path = tmp_path / "lr"
        (devices / "builds.yaml").write_text(f"builds: {{new: {{kind: native, program: {path}}}}}\n")
        words = (
            "--inventory",
            str(running.inventory),
            "--model",
            str(tmp_path / "blank.mge"),
            "--rounds",
            "1",
            "--json",
        )
        for name, more, asked in (
            ("old", "", ("--check", "outputs")),
            ("new", "--cpu-default", ("--baseline", "old")),
        ):
            path.write_text(text.replace('"$@"', f'"$@" {more}'))
            path.chmod(0o755)
            process = farm.start("bench", *words, "--build", "new", "--run-id", name, *asked)
            outcome = await asyncio.to_thread(farm.end, process)
    assert outcome.code == 1, outcome.stderr
    (baseline,) = verdicts(outcome, "baseline").items()
    assert baseline == ("arm-1/blank/default@new", "wrong")
    assert sentence(outcome, "itself", "arm-1/blank/default@baseline-new") == "the output is equal"
    (new,) = outcome.cells(build="new")
    assert (new["status"], new["cause"], new["summary"]) == ("failed", "wrong-outputs", None)
    # Two runs that are on disk say the same.
    compared = await asyncio.to_thread(farm, "compare", "old", "new", "--json")
    (check,) = compared.results["outputs"]
    assert (compared.code, check["verdict"], check["baseline_run"]) == (1, "wrong", "old")


async def test_every_tensor_is_compared_with_check_all_and_large_dumps_stay_on_disk(
    farm: Farm, devices: Path
) -> None:
    wanted = {"arm-1": Properties(Program(outputs=(OUT,), shifts=(("enable-nchw88", 1.0),)))}
    words = ("--variant", "plain=", "--variant", "large=--enable-nchw88", "--check", "all", "--rounds", "1")
    async with fleet(wanted, devices) as running:
        outcome = await bench(farm, running, *words)
    assert outcome.code == 0, outcome.stderr
    (check,) = (one for one in outcome.results["outputs"] if one["against"] == "variant")
    assert (check["verdict"], check["every"]["operator"], check["every"]["beyond"]) == ("finding", "prob", 1)
    assert "first diverging operator: prob (Simulated)" in check["sentence"]
    rounds = [one for cell in outcome.results["cells"] for one in cell["rounds"] if one["kind"] == "tensors"]
    assert [one["status"] for one in rounds] == ["completed"] * 2
    files = [file["path"] for one in rounds for file in one["artifacts"] if file["role"] == "bin-io-dump"]
    assert len(files) == 2
    assert all((farm.folder / "runs" / "one" / path).is_file() for path in files)
    first, second = (f"one:arm-1/tiny/{name}" for name in ("plain", "large"))
    again = await asyncio.to_thread(farm, "dumps", "compare", first, second)
    assert "first diverging operator: prob (Simulated)" in again.stdout, again.stderr
    (kept,) = check["every"]["tensors"]
    assert (kept["operator"], kept["divergence"], kept["difference"]["mismatches"]) == (
        "prob",
        "introduced",
        10,
    )
    report = (farm.folder / "runs" / "one" / "report.html").read_text("utf-8")
    for said in ('id="tensors"', "first to diverge", f"farm dumps compare {first} {second} --all"):
        assert said in report
