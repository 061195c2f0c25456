"""Core ids, and names for sets of cores, of a thread pool."""

from __future__ import annotations

from collections.abc import Sequence

from farm.cores import AUTOMATIC, automatic_cores
from farm.errors import RequestError
from farm.model.device import Facts
from farm.model.options import OptionSet
from farm.options.parse import build

CoreLabels = Sequence[tuple[str, Sequence[int]]]
"""A device's labels for its cores: `(("big", (4, 5, 6, 7)), ("little", (0, 1, 2, 3)))`."""

OPTION = "multi-thread-core-ids"
POOL_OPTIONS = ("multithread", "multithread-default")


def thread_count(options: OptionSet) -> int:
    """Threads of the pool that an option set asks for, 0 for none."""
    return max((int(value) for name in POOL_OPTIONS if (value := options.get(name))), default=0)


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


def missing_cores(options: OptionSet, facts: Facts, cores: CoreLabels) -> str | None:
    """Why the cores asked for are not on a device, None if they are."""
    try:
        ids = str(resolve_cores(options, cores, facts).get(OPTION) or "")
    except RequestError as error:
        return f"{error.message} ({error.hint})" if error.hint else error.message
    missing = [core for core in ids.split(",") if core and facts.core_ids and int(core) not in facts.core_ids]
    return f"the device has no core {', '.join(missing)}" if missing else None
