"""Which ceiling an operator is near: computation or memory (Williams, Waterman, Patterson 2009).

A device has one pair of ceilings per set of cores. They are given, or measured once with two bundled models:
a matrix product of 1024 x 1024 (farm/bundled/ceilings/product.mge) and a chain of elementwise operators on
64 MiB (elementwise.mge), run with `--profile` by the device's own runtime.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence

from farm.model.device import Device, Facts
from farm.model.operators import Bound, Ceilings, Operator, Position, Profile

OVERHEAD_BELOW = 0.1
"""Of both ceilings: then neither limits the operator, but launching it, waiting, or a poor kernel does."""

SHORTEST_MS = 0.005
"""Profiles count in microseconds: a shorter time says nothing about a rate."""

PRODUCT_TYPE, ELEMENTWISE_TYPE = "MatrixMul", "Elemwise"


def roofline(operators: Iterable[Operator], ceilings: Ceilings) -> tuple[Position, ...]:
    """The position of each operator, in their order."""
    return tuple(_position(one, ceilings) for one in operators)


def _position(one: Operator, ceilings: Ceilings) -> Position:
    gflops, gbps = one.gflops, one.gbps
    intensity = one.computation / one.memory_bytes if one.computation and one.memory_bytes else None
    attainable = min(ceilings.gflops, intensity * ceilings.gbps) if intensity else None
    computing, moving = (gflops or 0.0) / ceilings.gflops, (gbps or 0.0) / ceilings.gbps
    nearest = max(computing, moving)
    if not nearest or one.device_ms < SHORTEST_MS:
        return Position(one, intensity, gflops, gbps, attainable, None, Bound.UNKNOWN)
    if nearest < OVERHEAD_BELOW:
        bound = Bound.OVERHEAD
    else:
        bound = Bound.COMPUTE if computing >= moving else Bound.MEMORY
    return Position(one, intensity, gflops, gbps, attainable, nearest, bound)


def measured(
    product: Sequence[Profile], elementwise: Sequence[Profile], *, device: str = "", cores: str = ""
) -> Ceilings | None:
    """Ceilings from profiles of the two bundled models, the best of their rounds: a ceiling is what can be
    reached. None where one of them has no time.

    Of the elementwise model the last operator counts: the inputs of the others may be pages of zeros that the
    system has not laid out yet.
    """
    products = [one for profile in product for one in profile.operators if one.type == PRODUCT_TYPE]
    chains = [[one for one in profile.operators if one.type == ELEMENTWISE_TYPE] for profile in elementwise]
    computed = _usable(one.gflops for one in products)
    moved = _usable(chain[-1].gbps for chain in chains if chain)
    if not computed or not moved:
        return None
    return Ceilings(max(computed), max(moved), "measured", device, cores, computed, moved)


def _usable(rates: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(one for one in rates if one is not None and math.isfinite(one) and one > 0)


def cache_key(
    *, device: Device, facts: Facts, options: Sequence[str], program: str | None, models: Sequence[str]
) -> str | None:
    """The SHA-256 under which measured ceilings are kept; None where what they depend on is not known: the
    start of the device, or its program.

    Another start, governor, limit of the clock, set of cores, environment, program or bundled model (by their
    digests) is another ceiling.
    """
    if facts.boot_id is None or program is None:
        return None
    record = {
        "device": [device.name, device.address.host, sorted(device.environment)],
        "boot": facts.boot_id,
        "governors": sorted(facts.governors),
        "frequency_limits_khz": sorted(facts.frequency_limits_khz),
        "turbo": facts.turbo,
        "cores": [sorted(facts.core_ids), facts.cpu_limit_cores],
        "gpus": [(gpu.name, gpu.driver, gpu.power_limit_w) for gpu in facts.gpus],
        "options": list(options),
        "program": program,
        "models": list(models),
    }
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
