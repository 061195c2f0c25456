"""A dumped tensor on disk, of which parts are read: memory does not grow with it.

Parts are read with `pread`, not through a memory map: a file that is cut off meanwhile is an error then and
not the end of the process, and pages of a file of 10 GB do not count as memory of the reader.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from farm.analysis.values import Array, Values
from farm.dumps.malformed import MalformedError


@dataclass(frozen=True)
class Source:
    """Where the values of a tensor are: `count` of numpy's type `storage` in `path` from byte `start` on, or
    in `text` (what a text dump says of it).
    """

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    storage: str
    start: int
    count: int
    scale: float | None = None
    zero_point: int = 0
    text: tuple[float, ...] | None = None

    @property
    def size_bytes(self) -> int:
        return self.count * np.dtype(self.storage).itemsize


@contextmanager
def opened(source: Source) -> Iterator[Values]:
    """The values, while the file is open. Raises OSError; a read where the file ends MalformedError."""
    values = source.name, source.dtype, source.shape
    if source.text is not None:
        yield Values(*values, np.array(source.text))
        return
    descriptor = open_file(source.path)
    try:
        yield Values(*values, _File(descriptor, source), source.scale, source.zero_point)
    finally:
        os.close(descriptor)


def open_file(path: Path) -> int:
    """A descriptor of a plain file. Raises OSError; a pipe or a device would make the reader wait."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(0, "it is no plain file")


class _File:
    """Values in an open file, in one dimension."""

    def __init__(self, descriptor: int, source: Source) -> None:
        self.dtype: np.dtype[Any] = np.dtype(source.storage)
        self.size = source.count
        self._descriptor = descriptor
        self._start = source.start

    def __getitem__(self, part: slice) -> Array:
        start, stop, _ = part.indices(self.size)
        size_bytes = max(stop - start, 0) * self.dtype.itemsize
        data = os.pread(self._descriptor, size_bytes, self._start + start * self.dtype.itemsize)
        if len(data) != size_bytes:
            raise MalformedError("it was cut off while it was read")
        return np.frombuffer(data, self.dtype)
