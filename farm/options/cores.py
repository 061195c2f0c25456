"""Core ids, and names for sets of cores, of a thread pool."""

from __future__ import annotations

import re
from collections.abc import Sequence

from farm.errors import RequestError
from farm.model.device import Facts
from farm.model.options import OptionSet
from farm.options.parse import build

CoreLabels = Sequence[tuple[str, Sequence[int]]]
"""A device's labels for its cores: `(("big", (4, 5, 6, 7)), ("little", (0, 1, 2, 3)))`."""

OPTION = "multi-thread-core-ids"
MAX_CORE_ID = 4095
POOL_OPTIONS = ("multithread", "multithread-default")

AUTOMATIC = ("all", "little", "mid", "big")
"""Labels that need no inventory: all cores that may be used, and those of the slowest, the fastest and the
other kinds. Which ones these are, the device says once it was probed.
"""


_CORES = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")


def thread_count(options: OptionSet) -> int:
    """Threads of the pool that an option set asks for, 0 for none."""
    return max((int(value) for name in POOL_OPTIONS if (value := options.get(name))), default=0)


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


def resolve_cores(options: OptionSet, cores: CoreLabels, facts: Facts | None = None) -> OptionSet:
    """The option set with core ids in place of core labels.

    Of a label with more cores than the pool has threads, the first ones are used. Without `facts` an
    automatic label that the device's own do not have stays. Raises RequestError for an unknown label, for an
    automatic one that means no core of the device, and for fewer cores than threads.
    """
    text = options.get(OPTION)
    if text is None:
        return options
    labels = {name: tuple(ids) for name, ids in cores}
    parts = str(text).split(",")
    if facts is None and any(part in AUTOMATIC and part not in labels for part in parts):
        return options
    ids: list[str] = []
    for part in parts:
        if part.isdigit():
            ids.append(part)
        elif part in labels:
            ids += map(str, labels[part])
        elif part in AUTOMATIC and facts is not None:
            ids += map(str, automatic_cores(part, facts))
        else:
            known = ", ".join((*labels, *(name for name in AUTOMATIC if name not in labels)))
            raise RequestError(
                f"unknown core label {part!r} (the device has: {known})",
                hint="check `cores:` in the inventory",
            )
    threads = thread_count(options)
    if threads and len(ids) != threads:
        if len(ids) < threads or str(text).replace(",", "").isdigit():
            cores_told = (
                f"{len(ids)} core ids ({text}{'' if text == ','.join(ids) else ': ' + ','.join(ids)})"
            )
            raise RequestError(f"{threads} threads, but {cores_told}")
        ids = ids[:threads]
    return build(options.as_dict() | {OPTION: ",".join(ids)})


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


def missing_cores(options: OptionSet, facts: Facts, cores: CoreLabels) -> str | None:
    """Why the cores asked for are not on a device, None if they are."""
    try:
        ids = str(resolve_cores(options, cores, facts).get(OPTION) or "")
    except RequestError as error:
        return f"{error.message} ({error.hint})" if error.hint else error.message
    missing = [core for core in ids.split(",") if core and facts.core_ids and int(core) not in facts.core_ids]
    return f"the device has no core {', '.join(missing)}" if missing else None
