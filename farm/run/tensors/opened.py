"""A dumped tensor on disk, of which parts are read: memory does not grow with it.

Parts are read with `pread`, not through a memory map: a file that is cut off meanwhile is an error then and
not the end of the process, and pages of a file of 10 GB do not count as memory of the reader.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from farm.analysis.values import Array, Values
from farm.dumps.malformed import MalformedError
from farm.run.tensors.source import Source, open_file


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
