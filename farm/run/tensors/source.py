"""Where the values of a dumped tensor are. Without numpy: who shares out the work does not need it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """The values of a tensor: `count` of numpy's type `storage`, of `item_bytes` each, in `path` from byte
    `start` on, or in `text` (what a text dump says of it).
    """

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    storage: str
    item_bytes: int
    start: int
    count: int
    scale: float | None = None
    zero_point: int = 0
    text: tuple[float, ...] | None = None

    @property
    def size_bytes(self) -> int:
        return self.count * self.item_bytes


def open_file(path: Path) -> int:
    """A descriptor of a plain file. Raises OSError; a pipe or a device would make the reader wait."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(0, "it is no plain file")
