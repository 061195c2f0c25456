"""Cores of a device: their ids as people write them, and sets that need no inventory."""

from __future__ import annotations

import re
from collections.abc import Sequence

from farm.errors import RequestError
from farm.model.device import Facts

MAX_CORE_ID = 4095

AUTOMATIC = ("all", "little", "mid", "big")
"""Labels that need no inventory: all cores that may be used, and those of the slowest, the fastest and the
other kinds. Which ones these are, the device says once it was probed.
"""

_CORES = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")


def automatic_cores(name: str, facts: Facts) -> tuple[int, ...]:
    """The cores that an automatic label means on a device. Raises RequestError where it means none."""
    kinds = [one.cores for one in facts.clusters]
    own = "name them in the inventory, cores: {big: 4-7}"
    if name == "all":
        if not facts.core_ids:
            raise RequestError("the device does not say which cores it has", hint=own)
        return facts.core_ids
    if not kinds:
        raise RequestError(
            f"{name} cores: the device does not say which of its cores are of one kind", hint=own
        )
    if len(kinds) == 1:
        raise RequestError(f"{name} cores: the device has one kind of core", hint="all are: all")
    chosen = {"little": kinds[:1], "mid": kinds[1:-1], "big": kinds[-1:]}[name]
    if not chosen:
        raise RequestError(f"{name} cores: the device has two kinds of core, little and big", hint=own)
    return tuple(core for cores in chosen for core in cores)


def given_core_ids(value: object) -> tuple[int, ...]:
    """Core ids of `4-7`, `0-3,6` or a list of such, in the order given. Raises ValueError."""
    parts = value if isinstance(value, list) else [value]
    ids: list[int] = []
    for part in ",".join(str(part) for part in parts).split(","):
        found = _CORES.fullmatch(part.strip())
        if not found:
            raise ValueError(f'"{part.strip()}" is not a core id or a range such as 4-7')
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise ValueError(f'"{part.strip()}": the range ends before it starts')
        if last > MAX_CORE_ID:
            raise ValueError(f"core {last} is above {MAX_CORE_ID}, the highest core id")
        ids += range(first, last + 1)
    if len(set(ids)) < len(ids):
        raise ValueError("has the same core twice")
    return tuple(ids)


def core_list(cores: Sequence[int]) -> str:
    """Cores as Linux writes them: `0-3,6`."""
    runs: list[list[int]] = []
    for core in sorted(set(cores)):
        if runs and core == runs[-1][1] + 1:
            runs[-1][1] = core
        else:
            runs.append([core, core])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
