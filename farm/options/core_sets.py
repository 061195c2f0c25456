"""What the options of a cell make it compute with."""

from __future__ import annotations

from collections.abc import Mapping

from farm.cores import core_list
from farm.model.limits.ceilings import CoreSet
from farm.model.options import OptionSet, Value
from farm.options.cores import OPTION, POOL_OPTIONS
from farm.options.parse import without

ON_GPU = ("cuda",)
ON_CPU = ("cpu", "cpu-default")
DECIDING = ("cuda", *ON_CPU, *POOL_OPTIONS, OPTION)
MOST_CHARS = 200


def core_set(options: Mapping[str, Value]) -> CoreSet:
    """The same for options as they were planned and as results.json has them; never raises."""
    if any(options.get(name) for name in ON_GPU):
        return CoreSet(is_gpu=True)
    counts = [value for name in POOL_OPTIONS if isinstance(value := options.get(name), int) and value > 0]
    if counts:
        return CoreSet(threads=max(counts), cores=_listed(str(options.get(OPTION) or "")))
    return CoreSet(threads=1 if any(options.get(name) for name in ON_CPU) else None)


def only_deciding(options: OptionSet) -> OptionSet:
    """The options that decide what is computed with, without all others."""
    return without(options, *(name for name, _ in options.values if name not in DECIDING))


def _listed(text: str) -> str:
    """`4-7` of `4,5,6,7`; a text with labels stays as it is."""
    parts = text[:MOST_CHARS].split(",")
    if all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        return core_list([int(part) for part in parts])
    return ",".join(parts)
