"""Which products of preparations may be used again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from farm.model.device import Address, Device, Facts, Gpu, Runtime, RuntimeKind
from farm.options import parse, preparations
from farm.run.preparations import cache_key

DEVICE = Device("d", Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL))
FACTS = Facts(
    architecture="x86_64", cpu_model="cpu A", cpu_features=("avx2",), core_ids=(0, 1),
    max_frequency_khz=((0, 2_000_000),), gpus=(Gpu("T4", "535", "7.5"),),
)  # fmt: skip


def key(options: str = "--fast-run", facts: Facts = FACTS, device: Device = DEVICE, **changes: Any) -> str:
    (preparation, *_), _ = preparations(parse(options.split()))
    rest: dict[str, Any] = {"model_sha256": "m", "runtime_digest": "r", "given": ()} | changes
    return cache_key(preparation, device=device, facts=facts, **rest)


@pytest.mark.parametrize(
    "change",
    [
        {"model_sha256": "n"},
        {"runtime_digest": "s"},
        {"given": (("x.cache", "0"),)},
        {"options": "--fast-run --multithread 2"},
        {"options": "--full-run"},
        {"facts": replace(FACTS, architecture="aarch64")},
        {"facts": replace(FACTS, cpu_model="cpu B")},
        {"facts": replace(FACTS, cpu_features=("avx512f",))},
        {"facts": replace(FACTS, core_ids=(0,))},
        {"facts": replace(FACTS, max_frequency_khz=((0, 3_000_000),))},
        {"facts": replace(FACTS, gpus=(Gpu("T4", "550", "7.5"),))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_product_depends_on_everything_that_it_was_made_with(change: dict[str, Any]) -> None:
    assert key() == key()
    assert key(**change) != key()


def test_a_product_serves_other_devices_only_where_the_processor_is_known() -> None:
    other, unknown = replace(DEVICE, name="e"), replace(FACTS, cpu_model=None)
    assert key(device=other) == key()
    assert key(device=other, facts=unknown) != key(facts=unknown)
