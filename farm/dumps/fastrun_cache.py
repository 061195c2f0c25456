"""The cache of algorithm choices that `--fast-run-algo-policy` keeps (infile_persistent_cache.cpp).

Little endian: u32 number of categories; each u32 length and name, u32 number of entries; each u32 length
and key, u32 length and value. A value is u32 number of algorithms; each u32 length and a description
(u32 handle type, u32 algorithm, u32 length and parameters, u32 length and name), u32 length and
`:attribute;seconds;workspace:`, NUL included.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from farm.dumps.malformed import MalformedError

MAX_CATEGORIES = 100_000


@dataclass(frozen=True)
class Algorithm:
    """One measured algorithm, fastest first in its entry."""

    name: str
    seconds: float
    workspace_bytes: int


@dataclass(frozen=True)
class Entry:
    """One problem: `layouts` as `shape;dtype` of its tensors, and what was measured for it."""

    layouts: str
    algorithms: tuple[Algorithm, ...]


@dataclass(frozen=True)
class Category:
    """One operator on one kind of device, e.g. `profile:plat=cpu:ConvolutionForwardv5F0`."""

    name: str
    entries: tuple[Entry, ...]


def parse_cache(data: bytes) -> tuple[Category, ...]:
    """All categories. Raises MalformedError if the sizes in it do not add up to the whole file."""
    reader = _Reader(data)
    count = reader.number()
    if count > MAX_CATEGORIES:
        raise MalformedError("algorithm cache: impossible number of categories")
    categories = tuple(_category(reader) for _ in range(count))
    if reader.rest:
        raise MalformedError(f"algorithm cache: {reader.rest} bytes after the end")
    return categories


class _Reader:
    """Numbers and byte strings, from the front; every length is checked against the rest."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    @property
    def rest(self) -> int:
        return len(self._data) - self._at

    def number(self) -> int:
        return int(struct.unpack("<I", self.take(4))[0])

    def piece(self) -> bytes:
        return self.take(self.number())

    def take(self, size: int) -> bytes:
        if size > self.rest:
            raise MalformedError("algorithm cache: truncated or damaged")
        self._at += size
        return bytes(self._data[self._at - size : self._at])


def _category(reader: _Reader) -> Category:
    name = _text(reader.piece())
    count = reader.number()
    return Category(name, tuple(_entry(reader.piece(), reader.piece()) for _ in _counted(reader, count)))


def _entry(key: bytes, value: bytes) -> Entry:
    reader = _Reader(value)
    algorithms = tuple(_algorithm(reader) for _ in _counted(reader, reader.number()))
    return Entry(_text(key.rpartition(b"|")[0]), algorithms)


def _algorithm(reader: _Reader) -> Algorithm:
    description = _Reader(reader.piece())
    description.take(8)
    description.piece()
    name = _text(description.piece())
    parts = reader.piece().rstrip(b"\0").strip(b":").split(b";")
    try:
        seconds, workspace = float(parts[-2]), int(parts[-1])
    except (ValueError, IndexError):
        raise MalformedError("algorithm cache: a result is not a number") from None
    if not math.isfinite(seconds) or seconds < 0 or workspace < 0:
        raise MalformedError("algorithm cache: impossible result")
    return Algorithm(name, seconds, workspace)


def _counted(reader: _Reader, count: int) -> range:
    """`range(count)`. Raises MalformedError if the rest is too short: an item has at least four bytes."""
    if count * 4 > reader.rest:
        raise MalformedError("algorithm cache: truncated or damaged")
    return range(count)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")[:1000]
