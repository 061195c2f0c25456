"""One profile by type and by layer. The sums are those of megengine.tools.profile_analyze."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from farm.model.operators import Group, Operator, Profile

MAX_GROUPS = 10_000
REST = "(others)"
"""Takes what has no room among MAX_GROUPS groups."""
TOP = "(top level)"
UNNAMED = "(no name)"
LAYER_DEPTH = 2

_SUFFIX = re.compile(r"(?:\[\d+\])+\Z")
_FUSED = re.compile(r"[A-Za-z_0-9]+\((.*)\)\Z", re.DOTALL)


def slowest(profile: Profile) -> tuple[Operator, ...]:
    """All operators by self time, the longest first; equal ones in the order of computation."""
    return tuple(sorted(profile.operators, key=lambda one: -one.device_ms))


def share(part_ms: float, profile: Profile) -> float:
    """Part of the profile's device time, 0 to 1."""
    return part_ms / profile.device_ms if profile.device_ms else 0.0


def by_type(profile: Profile) -> tuple[Group, ...]:
    """Operators of the same type, the longest time first."""
    return _grouped(profile, lambda one: one.type or UNNAMED)


def by_layer(profile: Profile, depth: int = LAYER_DEPTH) -> tuple[Group, ...]:
    """Operators below the same name (`stages.3` of `stages.3.main.0.Convolution`), the longest time first."""
    return _grouped(profile, lambda one: layer(one.name, depth))


def as_types(profile: Profile) -> Profile:
    """The types as operators of a profile: for what compares operators (`side`, `aligned`)."""
    return _as_profile(profile, by_type(profile))


def as_layers(profile: Profile, depth: int = LAYER_DEPTH) -> Profile:
    """The layers as operators of a profile."""
    return _as_profile(profile, by_layer(profile, depth))


def _as_profile(profile: Profile, groups: Iterable[Group]) -> Profile:
    """Named after their group by all that operators are found by: no group is taken for another one."""
    operators = tuple(
        Operator(
            one.key, one.key, one.key, one.device_ms, 0.0, one.host_ms, one.memory_bytes, one.computation
        )
        for one in groups
    )
    return replace(profile, operators=operators)


def layer(name: str, depth: int = LAYER_DEPTH) -> str:
    """The first `depth` parts of a name, without the operator's own. Of a fused operator
    (`FUSE_ADD_RELU(a.b.bias,a.b.Convolution)[15]`) it is what its operands share, else its first operand's.
    """
    parts = _parts(name)[:depth]
    return ".".join(parts) or (TOP if name else UNNAMED)


def _parts(name: str) -> list[str]:
    name = _SUFFIX.sub("", name)
    if not (fused := _FUSED.match(name)):
        return name.split(".")[:-1]
    inside = [_parts(one) for one in _operands(fused[1])]
    shared: list[str] = []
    for same in zip(*inside, strict=False):
        if len(set(same)) > 1:
            break
        shared.append(same[0])
    return shared or next((parts for parts in inside if parts), [])


def _operands(text: str) -> list[str]:
    """Split at the commas that are in no brackets; operands that are fused themselves lose their brackets."""
    found, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            found.append(text[start:at])
            start = at + 1
    found.append(text[start:])
    # what is nested goes no deeper: a name may hold a thousand brackets
    return [one.rpartition("(")[2].rstrip(")") for one in found]


def _grouped(profile: Profile, key_of: Callable[[Operator], str]) -> tuple[Group, ...]:
    members: dict[str, list[Operator]] = {}
    for one in profile.operators:
        key = key_of(one)
        if key not in members and len(members) >= MAX_GROUPS:
            key = REST
        members.setdefault(key, []).append(one)
    groups = (_group(key, ones, profile) for key, ones in members.items())
    return tuple(sorted(groups, key=lambda group: -group.device_ms))


def _group(key: str, ones: Iterable[Operator], profile: Profile) -> Group:
    ones = tuple(ones)
    device_ms = math.fsum(one.device_ms for one in ones)
    return Group(
        key,
        len(ones),
        device_ms,
        math.fsum(one.host_ms for one in ones),
        share(device_ms, profile),
        sum(one.memory_bytes or 0 for one in ones),
        sum(one.computation or 0 for one in ones),
    )
