"""Compare files of outputs. It runs in a thread or a process of its own: numpy, and files of any size."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence

import numpy as np

from farm.analysis.outputs import compared
from farm.analysis.values import Array, Values
from farm.dumps.malformed import MalformedError
from farm.dumps.tensor import HEAD_BYTES, parse_head
from farm.files import sha256_of
from farm.model.outputs import Against, Compared, OutputVerdict, Tolerance
from farm.plan.content.npy import DAMAGED
from farm.run.outputs.files import OutputFile, are_small
from farm.visible import one_line

NAME_LIMIT = 200
"""Characters of an output's name; a device may send a megabyte."""


def compare_files(
    candidate: Sequence[OutputFile],
    reference: Sequence[OutputFile],
    against: Against,
    is_strict: bool,
    stated: tuple[Tolerance, ...],
) -> Compared:
    """Never raises for what is in the files: what cannot be read cannot be compared."""
    in_memory = are_small((*candidate, *reference))
    try:
        ours, theirs = ([_values(file, in_memory) for file in side] for side in (candidate, reference))
        return compared(ours, theirs, against=against, is_strict=is_strict, stated=stated)
    except _UnreadableError as error:
        return Compared(OutputVerdict.NOT_COMPARABLE, str(error))
    except (OSError, ValueError, MemoryError) as error:
        return Compared(OutputVerdict.NOT_COMPARABLE, f"the outputs could not be read: {error}")


class _UnreadableError(Exception):
    """The message names the file, for people."""


def _values(file: OutputFile, in_memory: bool) -> Values:
    try:
        return _dumped(file, in_memory) if file.name is None else _golden(file, file.name, in_memory)
    except OSError as error:
        raise _UnreadableError(f"{file.shown} cannot be read: {error.strerror or error}") from error
    except (*DAMAGED, MalformedError) as error:
        raise _UnreadableError(f"{file.shown} cannot be read: {error}") from error


def _dumped(file: OutputFile, in_memory: bool) -> Values:
    with file.path.open("rb") as stream:
        begin = stream.read(file.size_bytes if in_memory else HEAD_BYTES)
        size_bytes = len(begin) if in_memory else os.fstat(stream.fileno()).st_size
    head = parse_head(begin, size_bytes)
    storage = np.dtype(head.storage or "u1")
    flat: Array
    if size_bytes == head.start:
        flat = np.empty(0, storage)
    elif in_memory:
        flat = np.frombuffer(begin, storage, offset=head.start)
    else:
        count = (size_bytes - head.start) // storage.itemsize
        flat = np.memmap(file.path, storage, "r", head.start, (count,))
    return Values(one_line(head.name, NAME_LIMIT), head.dtype, head.shape, flat, head.scale, head.zero_point)


def _golden(file: OutputFile, name: str, in_memory: bool) -> Values:
    data = file.path.read_bytes() if in_memory else b""
    digest = hashlib.sha256(data).hexdigest() if in_memory else sha256_of(file.path)
    if digest != file.sha256:
        raise MalformedError("it was changed after the run was planned")
    array: Array
    if in_memory:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    else:
        array = np.load(file.path, mmap_mode="r", allow_pickle=False)
    return Values(name, array.dtype.name, array.shape, array.reshape(-1))
