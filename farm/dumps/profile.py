"""The JSON that `--profile` writes: times, memory and shapes of operators.

An operator's time is the largest `end - start` over its computing nodes, in seconds, of the last run
(the `self time` of megengine.tools.profile_analyze); `kern - start` is waiting, `end - kern` computing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from farm.dumps.json_text import as_count, as_list, as_object, load_object
from farm.dumps.malformed import MalformedError

MAX_OPERATORS = 1_000_000
NAME_LIMIT = 1000
MAX_SECONDS = 1e9


@dataclass(frozen=True)
class Operator:
    """One operator. `device_ms` is its whole time, `kernel_ms` the computing part of it; `host_ms` is the
    time to launch it. `memory_bytes` and `computation` (operations) are MegEngine's own estimates.
    """

    id: str
    name: str
    type: str
    device_ms: float
    kernel_ms: float
    host_ms: float
    memory_bytes: int | None
    computation: int | None
    input_shapes: tuple[tuple[int, ...], ...]
    output_shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Profile:
    """All operators that were computed, in the order of computation; `total_ms` is the sum of their times."""

    operators: tuple[Operator, ...]

    @property
    def total_ms(self) -> float:
        return math.fsum(operator.device_ms for operator in self.operators)


def parse_profile(text: str) -> Profile:
    """A profile; operators without times are left out. Raises MalformedError if the text is not a profile."""
    root = load_object(text, "the profile")
    profiler, graph = as_object(root.get("profiler")), as_object(root.get("graph_exec"))
    device, host = as_object(profiler.get("device")), as_object(profiler.get("host"))
    footprints, operators = as_object(profiler.get("opr_footprint")), as_object(graph.get("operator"))
    if not device or not operators:
        raise MalformedError("the profile has no operators")
    order = {str(key): place for place, key in enumerate(as_list(graph.get("comp_seq"))[:MAX_OPERATORS])}
    keys = sorted(list(device)[:MAX_OPERATORS], key=lambda key: (order.get(key, len(order)), key))
    found = (
        _operator(
            key, as_object(operators.get(key)), device.get(key), host.get(key), as_object(footprints.get(key))
        )
        for key in keys
    )
    return Profile(tuple(operator for operator in found if operator is not None))


def _operator(
    key: str, described: Mapping[str, Any], device: object, host: object, footprint: Mapping[str, Any]
) -> Operator | None:
    spans = _spans(device)
    if not spans:
        return None
    host_spans = _spans(host)
    return Operator(
        id=key,
        name=str(described.get("name", ""))[:NAME_LIMIT],
        type=str(described.get("type", ""))[:NAME_LIMIT],
        device_ms=max(end - start for start, _, end in spans) * 1e3,
        kernel_ms=max(end - kern for _, kern, end in spans) * 1e3,
        host_ms=max((end - start for start, _, end in host_spans), default=0.0) * 1e3,
        memory_bytes=as_count(footprint.get("memory")),
        computation=as_count(footprint.get("computation")),
        input_shapes=_shapes(footprint.get("in_shapes")),
        output_shapes=_shapes(footprint.get("out_shapes")),
    )


def _spans(value: object) -> list[tuple[float, float, float]]:
    """(start, kern, end) in seconds on each node that has all three in order."""
    spans = []
    for span in as_object(value).values():
        start, kern, end = (_seconds(as_object(span).get(name)) for name in ("start", "kern", "end"))
        if start is not None and kern is not None and end is not None and start <= kern <= end:
            spans.append((start, kern, end))
    return spans


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < MAX_SECONDS else None


def _shapes(value: object) -> tuple[tuple[int, ...], ...]:
    shapes = (tuple(as_count(size) for size in as_list(shape)) for shape in as_list(value)[:64])
    return tuple(tuple(size for size in shape if size is not None) for shape in shapes)
