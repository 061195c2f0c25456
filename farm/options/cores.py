"""Core ids and core labels of a thread pool."""

from __future__ import annotations

from collections.abc import Sequence

from farm.errors import RequestError
from farm.model.options import OptionSet
from farm.options.parse import build

CoreLabels = Sequence[tuple[str, Sequence[int]]]
"""A device's labels for its cores: `(("big", (4, 5, 6, 7)), ("little", (0, 1, 2, 3)))`."""

POOL_OPTIONS = ("multithread", "multithread-default")


def thread_count(options: OptionSet) -> int:
    """Threads of the pool that an option set asks for, 0 for none."""
    return max((int(value) for name in POOL_OPTIONS if (value := options.get(name))), default=0)


def resolve_cores(options: OptionSet, cores: CoreLabels) -> OptionSet:
    """The option set with core ids in place of core labels.

    Of a label with more cores than the pool has threads, the first ones are used. Raises RequestError for an
    unknown label, and for fewer cores than threads.
    """
    text = options.get("multi-thread-core-ids")
    if text is None:
        return options
    labels = {name: [str(core) for core in ids] for name, ids in cores}
    ids: list[str] = []
    for part in str(text).split(","):
        if not part.isdigit() and part not in labels:
            known = ", ".join(labels) or "none"
            raise RequestError(
                f"unknown core label {part!r} (the device has: {known})",
                hint="check `cores:` in the inventory",
            )
        ids.extend([part] if part.isdigit() else labels[part])
    threads = thread_count(options)
    if threads and len(ids) != threads:
        if len(ids) < threads or str(text).replace(",", "").isdigit():
            raise RequestError(f"{threads} threads, but {len(ids)} core ids ({text})")
        ids = ids[:threads]
    return build(options.as_dict() | {"multi-thread-core-ids": ",".join(ids)})


def missing_cores(options: OptionSet, core_ids: Sequence[int], cores: CoreLabels) -> str | None:
    """Why the cores asked for are not on a device, None if they are. Empty `core_ids`: not known."""
    try:
        ids = str(resolve_cores(options, cores).get("multi-thread-core-ids") or "")
    except RequestError as error:
        return error.message
    missing = [core for core in ids.split(",") if core and core_ids and int(core) not in core_ids]
    return f"the device has no core {', '.join(missing)}" if missing else None
