"""Which ceilings a plan needs, and which of them the inventory gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from farm.cli.bench.ceilings import ceilings_json, ceilings_lines
from farm.model.artifact import Artifact
from farm.model.device import Address, CoreCluster, Device, Facts, Runtime, RuntimeKind
from farm.model.limits.ceilings import CoreSet, GivenCeilings
from farm.model.matrix import Model, Plan
from farm.model.options import Value, Variant
from farm.options import parse
from farm.options.core_sets import core_set, only_deciding
from farm.plan.ceilings import given_ceilings
from tests.unit.plans import plan_of

MODEL = Model("m", Artifact("m.mge", "0" * 64, 10, Path("m.mge")))
BOARD = Device("b", Address("b"), Runtime(RuntimeKind.WHEEL), cores=(("fast", (4, 5, 6, 7)),))
FACTS = Facts(core_ids=tuple(range(8)), clusters=(CoreCluster((0, 1, 2, 3)), CoreCluster((4, 5, 6, 7))))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("", "default"),
        ("--enable-nchw44 --iter 5", "default"),
        ("--cpu", "1 thread"),
        ("--cpu-default", "1 thread"),
        ("--multithread 1", "1 thread"),
        ("--multithread 4", "4 threads"),
        ("--multithread-default 4", "4 threads"),
        ("--multithread 1 --multi-thread-core-ids 7", "1 thread on core 7"),
        ("--multithread 4 --multi-thread-core-ids 4,5,6,7", "4 threads on cores 4-7"),
        ("--multithread 4 --multi-thread-core-ids big", "4 threads on cores big"),
        ("--cuda", "GPU"),
    ],
)
def test_a_core_set_is_what_options_make_a_cell_compute_with(words: str, name: str) -> None:
    options = parse(words.split())
    assert core_set(options.as_dict()).name == name
    assert core_set(only_deciding(options).as_dict()).name == name
    assert "iter" not in only_deciding(options)


def test_options_of_a_file_that_anybody_wrote_are_a_core_set_too() -> None:
    odd: dict[str, Value] = {
        "multithread": "four",
        "multithread-default": -3,
        "multi-thread-core-ids": "9" * 5000,
        "cuda": False,
    }
    assert core_set(odd) == CoreSet()
    assert core_set({"multithread": 2, "multi-thread-core-ids": "9" * 5000}).threads == 2


ENTRIES = (
    GivenCeilings(1, 1),
    GivenCeilings(2, 1, threads=1),
    GivenCeilings(3, 1, cores="fast", is_gpu=False),
    GivenCeilings(4, 1, threads=4, cores="fast", is_gpu=False),
    GivenCeilings(5, 1, is_gpu=True),
    GivenCeilings(6, 1, cores="little", is_gpu=False),
)


@pytest.mark.parametrize(
    ("asked", "gflops"),
    [
        (CoreSet(), 2),
        (CoreSet(threads=1), 2),
        (CoreSet(threads=2), 1),
        (CoreSet(threads=2, cores="4-5"), 3),
        (CoreSet(threads=4, cores="4-7"), 4),
        (CoreSet(threads=4, cores="2-5"), 1),
        (CoreSet(threads=2, cores="0-1"), 6),
        (CoreSet(is_gpu=True), 5),
    ],
)
def test_the_entry_that_names_most_of_a_core_set_counts(asked: CoreSet, gflops: float) -> None:
    found = given_ceilings(replace(BOARD, ceilings=ENTRIES), asked, FACTS)
    assert found is not None
    assert found.gflops == gflops


def test_nothing_is_given_where_no_entry_holds() -> None:
    device = replace(BOARD, ceilings=ENTRIES[1:])
    assert given_ceilings(device, CoreSet(threads=2), FACTS) is None
    assert given_ceilings(device, CoreSet(threads=2, cores="little")) is not None  # before the probe
    assert given_ceilings(device, CoreSet(threads=2, cores="nobody"), FACTS) is None


def plan(*variants: str, ceilings: tuple[GivenCeilings, ...] = (), names: tuple[str, ...] = ("b",)) -> Plan:
    devices = [replace(BOARD, name=name, ceilings=ceilings) for name in names]
    return plan_of(devices, [MODEL], [Variant(f"v{i}", parse(w.split())) for i, w in enumerate(variants)])


def test_a_plan_says_which_ceilings_are_measured_and_which_are_given() -> None:
    asked = ("--profile p.json", "--multithread 2 --profile-host p.json", "--multithread 8")
    (line,) = ceilings_lines(plan(*asked, ceilings=(GivenCeilings(48, 12.5, threads=2),)))
    assert line == (
        "ceilings of b: 2 threads 48 GFLOP/s and 12.5 GB/s by the inventory; "
        "default measured after the rounds, unless they were since its start"
    )
    assert ceilings_json(plan(*asked))["b"][1] == {
        "cores": "2 threads", "source": "measured", "gflops": None, "gbps": None
    }  # fmt: skip
    off = replace(plan(*asked), measures_ceilings=False)
    assert ceilings_lines(off) == ["ceilings of b: default, 2 threads not measured (--no-ceilings)"]
    assert ceilings_json(off)["b"][0]["source"] is None


def test_a_plan_without_profiles_has_no_ceilings_and_many_devices_are_one_line() -> None:
    assert ceilings_lines(plan("", "--multithread 2")) == []
    assert ceilings_json(plan("")) == {}
    (line,) = ceilings_lines(plan("--profile p.json", names=tuple(f"b{i}" for i in range(20))))
    assert line.startswith("ceilings of b0, b1, b2, b3, b4 and 15 more: default measured")
