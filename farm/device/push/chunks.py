"""What a file has in common with older ones: content-defined chunks, whose borders move with the content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from farm.device.push.recipe import FRESH, Op, Recipe
from farm.model.artifact import Artifact

LEAST_BYTES, MOST_BYTES = 8 << 10, 256 << 10
"""Of a chunk, but for the last one of a file."""

BORDER_BITS = 16
"""One place in 2 ** 16 is a border: chunks have about 64 KiB."""

READ_BYTES = 1 << 20
WORTH = 0.5
"""A recipe that sends more of the file than this is none."""

MOST_OPS = 64
LEAST_COPIES_BYTES = (64 << 10, 1 << 20, 16 << 20)
"""Shorter copies are sent instead, by the first of these limits that leaves few enough ops: on the device
each is a process or two.
"""

_ODD = np.uint64(0x9E3779B97F4A7C15)
_BORDER = np.uint64(0x5BD1)
_SHIFT = np.uint64(64 - BORDER_BITS)


@dataclass(frozen=True)
class Chunk:
    """A part of a file."""

    offset: int
    length: int
    digest: bytes


def chunks(path: Path) -> Iterator[Chunk]:
    """The chunks of a file, in order. Raises OSError."""
    with path.open("rb", buffering=0) as stream:
        rest, offset, is_last = b"", 0, False
        while not is_last:
            block = stream.read(READ_BYTES)
            is_last = not block
            data, begin = rest + block, 0
            for end in _ends(data, is_last=is_last):
                part = memoryview(data)[begin:end]
                yield Chunk(offset + begin, end - begin, hashlib.sha256(part).digest())
                begin = end
            rest, offset = data[begin:], offset + begin


def _ends(data: bytes, *, is_last: bool) -> Iterator[int]:
    """Where the chunks end that surely do, of data that begins with a chunk."""
    borders, begin = _borders(data), 0
    while begin < len(data):
        index = int(np.searchsorted(borders, begin + LEAST_BYTES))
        end = int(borders[index]) if index < len(borders) else begin + MOST_BYTES + 1
        if end - begin > MOST_BYTES:
            end = begin + MOST_BYTES
        if end > len(data):
            if is_last:
                yield len(data)
            return
        yield end
        begin = end


def _borders(data: bytes) -> npt.NDArray[np.int64]:
    """Places behind eight bytes whose hash is that of a border: the same content has the same borders."""
    found = []
    for shift in range(min(8, max(len(data) - 7, 0))):
        words = np.frombuffer(data, "<u8", (len(data) - shift) // 8, shift)
        found.append(np.flatnonzero((words * _ODD) >> _SHIFT == _BORDER) * 8 + shift + 8)
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)


def recipe(new: Artifact, older: Sequence[Artifact]) -> Recipe | None:
    """How to make a file of older ones; None where too little of it is in them. Raises OSError."""
    where: dict[bytes, Op] = {}
    starts: dict[tuple[str, int], bytes] = {}
    for old in older:
        for chunk in chunks(old.path):
            where.setdefault(chunk.digest, Op(old.sha256, chunk.offset, chunk.length))
            starts[old.sha256, chunk.offset] = chunk.digest
    ops: list[Op] = []
    for chunk in chunks(new.path):
        found = where.get(chunk.digest, Op(FRESH, chunk.offset, chunk.length))
        if ops and starts.get((ops[-1].place, ops[-1].offset + ops[-1].length)) == chunk.digest:
            found = replace(found, place=ops[-1].place, offset=ops[-1].offset + ops[-1].length)
        _add(ops, found)
    return _fewer(ops, new.size_bytes)


def _add(ops: list[Op], op: Op) -> None:
    """At the end, as one with the op before where they are neighbours."""
    last = ops[-1] if ops else None
    if last is not None and last.place == op.place and last.offset + last.length == op.offset:
        ops[-1] = replace(last, length=last.length + op.length)
    else:
        ops.append(op)


def _fewer(ops: Sequence[Op], size_bytes: int) -> Recipe | None:
    """With few ops, whose fresh ones are numbered through."""
    for least_bytes in LEAST_COPIES_BYTES:
        merged: list[Op] = []
        offset = 0
        for op in ops:
            is_sent = op.place == FRESH or op.length < least_bytes
            _add(merged, Op(FRESH, offset, op.length) if is_sent else op)
            offset += op.length
        if len(merged) <= MOST_OPS:
            break
    fresh = tuple((op.offset, op.length) for op in merged if op.place == FRESH)
    sent_bytes = sum(length for _, length in fresh)
    if offset != size_bytes or len(merged) > MOST_OPS or sent_bytes > WORTH * size_bytes:
        return None
    final, at = [], 0
    for op in merged:
        final.append(replace(op, offset=at) if op.place == FRESH else op)
        at += op.length if op.place == FRESH else 0
    return Recipe(tuple(final), fresh)
