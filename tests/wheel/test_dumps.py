"""Dumps of the real program: a planted wrong operator is found, and every kind of dump is read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from farm.analysis.dumps.memory import memory_timeline
from farm.analysis.dumps.unmatched import LAYOUT_OPERATORS
from farm.dumps.static_mem import parse_static_memory
from farm.dumps.tensor import Tensor, parse_tensor
from farm.errors import ExitCode
from farm.model.dumps import Side
from farm.run.tensors.compare import How, compare_dumps
from tests.unit.cli.test_compare import Farm, farm
from tests.wheel.conftest import BUNDLED, Wheel, inputs_of

pytestmark = pytest.mark.wheel

__all__ = ["farm"]


def dumped(wheel: Wheel, model: Path, *options: str) -> Path:
    """The folder of a run in which every tensor was dumped."""
    folder = wheel.place()
    (folder / "d").mkdir()
    data = inputs_of("tiny")
    options = (*options, "--iter", "1", "--warmup_iter", "0", "--input", data)
    wheel(model, *options, "--bin_io_dump", "d", within=folder).passed()
    return folder / "d"


def side_of(one: Path, other: Path) -> Side:
    return asyncio.run(compare_dumps(("a", [one]), [("b", [other])], How())).sides[0]


def test_an_operator_with_one_changed_weight_is_the_first_that_diverges(
    farm: Farm, wheel: Wheel, tmp_path: Path
) -> None:
    """The weight is changed in the bytes of the model, where it stands as it is dumped."""
    plain = dumped(wheel, BUNDLED / "tiny.mge")
    tensors = [parse_tensor(path.read_bytes()) for path in plain.iterdir()]
    weight = next(one.values for one in tensors if one.name == "second.weight")
    assert weight is not None
    changed = weight.copy()
    changed[3, 2, 1, 1] += np.float32(0.5)
    model = (BUNDLED / "tiny.mge").read_bytes()
    assert model.count(weight.tobytes()) == 1
    planted = tmp_path / "planted.mge"
    planted.write_bytes(model.replace(weight.tobytes(), changed.tobytes()))
    again, wrong = dumped(wheel, BUNDLED / "tiny.mge"), dumped(wheel, planted)

    code, out, _ = farm("dumps", "compare", str(plain), str(again), str(wrong), "--check", "--json")
    same, other = json.loads(out)["sides"]
    assert code == ExitCode.REGRESSION
    assert (same["compared"], same["beyond"], same["first"]) == (len(tensors), 0, None)
    first = other["first"]
    assert (first["candidate"]["operator"], first["candidate"]["operator_type"]) == (
        "second.Convolution", "ConvolutionForward",
    )  # fmt: skip
    classes = {one["candidate"]["name"]: one["divergence"] for one in other["pairs"]}
    assert classes["second.weight"] == "introduced"
    assert classes["second.Convolution"] == classes["out"] == "inherited"
    assert classes["first.Convolution"] == classes["data"] == "agrees"
    assert (other["only_candidate"], other["only_reference"], other["findings"]) == ([], [], [])


@pytest.mark.parametrize("layout", ["nchw44", "nhwcd4"])
def test_a_run_in_a_blocked_layout_is_compared_with_a_plain_one(
    wheel: Wheel, tmp_path: Path, layout: str
) -> None:
    """Only what was fused away, and what changes the layout, has no partner; a wrong operator is still named."""
    tiny = BUNDLED / "tiny.mge"
    plain, blocked = dumped(wheel, tiny), dumped(wheel, tiny, f"--enable_{layout}")
    side = side_of(plain, blocked)
    assert (side.compared, side.beyond) == (len(side.pairs), 0)
    assert {one.candidate.name for one in side.pairs} >= {"data", "RELU[0]", "RELU[1]", "out"}
    assert sum(one.layouts is not None for one in side.pairs) >= 6
    assert {one.operator_type for one in side.only_candidate} <= LAYOUT_OPERATORS
    assert {one.operator_type for one in side.only_reference} == {"ConvolutionForward"}
    assert all(one.reason for one in (*side.only_candidate, *side.only_reference))

    weight = next(one.values for one in named(plain) if one.name == "second.weight")
    assert weight is not None
    changed = weight.copy()
    changed[3, 2, 1, 1] += np.float32(0.5)
    planted = tmp_path / "planted.mge"
    planted.write_bytes(tiny.read_bytes().replace(weight.tobytes(), changed.tobytes()))
    first = side_of(plain, dumped(wheel, planted, f"--enable_{layout}")).first_diverging
    assert first is not None
    assert first.candidate.operator == "second.Convolution"
    assert first.difference.shape == (1, 16, 8, 8)
    assert first.difference.at is not None
    assert first.difference.at[1] == 3  # the channel of the changed weight


def test_the_text_the_outputs_and_the_memory_plan_of_one_run_agree(wheel: Wheel) -> None:
    binary = dumped(wheel, BUNDLED / "tiny.mge")
    folder = wheel.place()
    for name in ("o", "memory"):
        (folder / name).mkdir()
    common = ("--iter", "1", "--warmup_iter", "0", "--input", inputs_of("tiny"))
    tiny = BUNDLED / "tiny.mge"
    wheel(tiny, *common, "--io_dump", "io.txt", within=folder).passed()
    wheel(tiny, *common, "--bin_out_dump", "o", within=folder).passed()
    wheel(tiny, *common, "--get_static_mem_info", "memory", within=folder).passed()

    text = side_of(folder / "io.txt", folder / "io.txt")
    assert {one.candidate.name for one in text.pairs} == {one.name for one in named(binary)}
    outputs = side_of(binary, folder / "o")
    assert [(one.candidate.name, one.difference.mismatches) for one in outputs.pairs] == [("out", 0)]
    plan = memory_timeline(parse_static_memory((folder / "memory" / "StaticMemoryInfo.json").read_text()))
    assert 0 < plan.peak_bytes <= plan.reserved_bytes
    assert (
        plan.steps[plan.peak_step].used_bytes
        == plan.peak_bytes
        == sum(one.size_bytes for one in plan.holders)
    )
    assert all(one.name for one in plan.holders)


def named(folder: Path) -> list[Tensor]:
    return [parse_tensor(path.read_bytes()) for path in folder.iterdir()]
