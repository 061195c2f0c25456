"""How much of a device's disk farm may take: a part of it, or a size."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(%|[kKMGT]?i?B|)")
_UNITS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}


@dataclass(frozen=True)
class Portion:
    """`percent` of a disk, at most `most_bytes`; None: does not count."""

    percent: float | None = None
    most_bytes: int | None = None

    def of(self, disk_bytes: int | None) -> int | None:
        """In bytes; None where it depends on a disk whose size is not known."""
        parts = [] if self.most_bytes is None else [self.most_bytes]
        if self.percent is not None and disk_bytes is not None:
            parts.append(int(disk_bytes * self.percent / 100))
        return min(parts, default=None)


@dataclass(frozen=True)
class StoreLimits:
    """`share`: what the store of a device may hold, but for what a run needs; `reserve`: what a push must
    leave free, for what programs write.
    """

    share: Portion = Portion(50, 8 << 30)
    reserve: Portion = Portion(5, 64 << 20)


def portion(text: str) -> Portion:
    """Of `25%`, `200 MB`, `1.5GiB`, `0`. Raises ValueError for anything else."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or (not found[2] and float(found[1])):
        raise ValueError(f'"{text}" is neither a part of the disk, as 25%, nor a size, as 200 MB or 1 GiB')
    number, unit = float(found[1]), found[2]
    if unit == "%":
        if number > 100:
            raise ValueError(f'"{text}" is more than 100%')
        return Portion(percent=number)
    prefix, base = unit.removesuffix("B").removesuffix("i"), 1024 if "i" in unit else 1000
    return Portion(most_bytes=round(number * base ** _UNITS[prefix]))
