"""The run matrix and its order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.model.artifact import Artifact
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import InputSpec, Model, RoundKind
from farm.model.options import Variant
from farm.options import parse
from farm.plan.schedule import schedule
from tests.unit.plans import plan_of


def device(name: str = "arm-1", kind: RuntimeKind = RuntimeKind.WHEEL) -> Device:
    return Device(
        name,
        Address("10.0.0.1"),
        Runtime(kind, program="/bin/true"),
        cores=(("big", (4, 5)), ("fast", (4, 5))),
    )


def model(name: str = "tiny") -> Model:
    return Model(name, Artifact(f"{name}.mge", name.ljust(64, "0"), 10, Path(f"{name}.mge")))


def variant(name: str, text: str = "") -> Variant:
    return Variant(name, parse(text.split()))


def test_every_cell_has_its_timed_rounds_and_one_round_for_each_observer() -> None:
    plan = plan_of([device()], [model()], [variant("p", "--profile p.json")], rounds=3, seed=1)
    kinds = [(one.kind, one.index) for one in plan.cells[0].rounds]
    assert kinds == [
        (RoundKind.TIMED, 0),
        (RoundKind.TIMED, 1),
        (RoundKind.TIMED, 2),
        *((RoundKind.PROFILE, index) for index in range(3)),
    ]
    assert all("profile" not in one.options for one in plan.cells[0].rounds[:3])


def test_the_same_seed_gives_the_same_order_and_another_seed_another() -> None:
    variants = [variant(name, text) for name, text in (("a", ""), ("b", "--cpu"), ("c", "--cpu-default"))]

    def order(seed: int) -> list[str]:
        plan = plan_of([device()], [model()], variants, rounds=6, seed=seed)
        return [cell.variant.name for cell, _ in schedule(plan.cells, seed).steps]

    assert order(7) == order(7)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1


def test_every_block_of_rounds_has_each_variant_once_so_that_drift_falls_on_all() -> None:
    variants = [variant("a"), variant("b", "--cpu-default")]
    plan = plan_of([device()], [model("m"), model("n")], variants, rounds=5, seed=3)
    steps = schedule(plan.cells, 3).steps
    for block in range(5):
        cells = [cell.id for cell, one in steps[block * 4 : block * 4 + 4]]
        assert sorted(cells) == sorted(cell.id for cell in plan.cells)


def test_separate_rounds_come_after_all_timed_ones() -> None:
    plan = plan_of(
        [device()], [model()], [variant("p", "--profile p.json"), variant("q", "--cpu")], rounds=2, seed=1
    )
    kinds = [one.kind for _, one in schedule(plan.cells, 1).steps]
    assert kinds == [RoundKind.TIMED] * 4 + [RoundKind.PROFILE] * 3


def test_a_variant_that_would_be_ignored_is_refused_before_any_device() -> None:
    with pytest.raises(RequestError, match="nchw44"):
        plan_of([device()], [model()], [variant("two", "--enable-nchw44 --enable-nchw88")], rounds=1, seed=1)


def test_what_no_device_can_do_at_all_is_refused_with_the_reason() -> None:
    with pytest.raises(RequestError, match=r"nothing to run: --rocm"):
        plan_of([device()], [model()], [variant("r", "--rocm")], rounds=1, seed=1)


def test_what_one_variant_cannot_have_is_a_skip_and_the_others_run() -> None:
    plan = plan_of([device()], [model()], [variant("r", "--rocm"), variant("ok")], rounds=1, seed=1)
    assert [cell.variant.name for cell in plan.cells] == ["ok"]
    assert "rocm" in plan.skips[0].reason


def test_a_core_label_becomes_the_devices_cores() -> None:
    plan = plan_of(
        [device()],
        [model()],
        [variant("fast", "--multithread 2 --multi-thread-core-ids fast")],
        rounds=1,
        seed=1,
    )
    assert plan.cells[0].variant.options.get("multi-thread-core-ids") == "4,5"


def test_a_label_that_a_device_does_not_have_skips_its_cells_only() -> None:
    other = Device("gpu-1", Address("h"), Runtime(RuntimeKind.WHEEL))
    plan = plan_of(
        [device(), other],
        [model()],
        [variant("fast", "--multithread 2 --multi-thread-core-ids fast")],
        rounds=1,
        seed=1,
    )
    assert [cell.device.name for cell in plan.cells] == ["arm-1"]
    assert "fast" in plan.skips[0].reason


def test_input_in_a_variant_is_refused_since_it_belongs_to_a_model() -> None:
    with pytest.raises(RequestError, match="cannot be in a variant"):
        plan_of([device()], [model()], [variant("v", "--input data:x.npy")], rounds=1, seed=1)


def test_what_ignores_the_input_of_a_model_is_said() -> None:
    fed = replace(model("fed"), inputs=InputSpec("data:[[1.0]]", "data:[[1.0]]"))
    devices = [device("n", RuntimeKind.NATIVE), device("w", RuntimeKind.WHEEL)]
    plan = plan_of(devices, [model("unfed"), fed], [variant("b", "--batch-size 4")], rounds=1, seed=1)
    said = {
        (cell.device.name, cell.model.name) for cell in plan.cells if any("--input" in n for n in cell.notes)
    }
    assert said == {("n", "fed")}
