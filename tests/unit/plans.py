"""Plans for tests, made as farm makes them, of models whose inputs need no look."""

from __future__ import annotations

from collections.abc import Sequence

from farm.model.device import Device
from farm.model.matrix import Model, Plan
from farm.model.options import Variant
from farm.plan.matrix import Sources, choose, make_plan


def plan_of(
    devices: Sequence[Device],
    models: Sequence[Model],
    variants: Sequence[Variant],
    *,
    rounds: int = 1,
    seed: int = 1,
) -> Plan:
    sources = Sources(tuple(devices), tuple(models), tuple(variants), rounds, seed)
    matrix = choose(sources)
    return make_plan(sources, matrix, matrix.models)
