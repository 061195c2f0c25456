"""Compare files of outputs. It runs in a thread or a process of its own: numpy, and files of any size."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from farm.analysis.outputs import compared
from farm.analysis.tensors import Array, Values
from farm.dumps.malformed import MalformedError
from farm.dumps.tensor import HEAD_BYTES, parse_head
from farm.files import sha256_of
from farm.model.outputs import Against, Compared, OutputVerdict, Tolerance
from farm.run.outputs.files import SMALL_BYTES, OutputFile


def compare_files(
    candidate: Sequence[OutputFile],
    reference: Sequence[OutputFile],
    against: Against,
    is_strict: bool,
    stated: tuple[Tolerance, ...],
) -> Compared:
    """Never raises for what is in the files: what cannot be read cannot be compared."""
    try:
        ours, theirs = ([_values(file) for file in side] for side in (candidate, reference))
        return compared(ours, theirs, against=against, is_strict=is_strict, stated=stated)
    except _UnreadableError as error:
        return Compared(OutputVerdict.NOT_COMPARABLE, str(error))
    except (OSError, ValueError, MemoryError) as error:
        return Compared(OutputVerdict.NOT_COMPARABLE, f"the outputs could not be read: {error}")


class _UnreadableError(Exception):
    """The message names the file, for people."""


def _values(file: OutputFile) -> Values:
    try:
        return _dumped(file.path) if file.name is None else _golden(file, file.name)
    except OSError as error:
        raise _UnreadableError(f"{file.shown} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, MalformedError) as error:
        raise _UnreadableError(f"{file.shown} cannot be read: {error}") from error


def _dumped(path: Path) -> Values:
    with path.open("rb") as stream:
        size_bytes = os.fstat(stream.fileno()).st_size
        is_small = size_bytes <= SMALL_BYTES
        begin = stream.read(SMALL_BYTES if is_small else HEAD_BYTES)
    head = parse_head(begin, size_bytes)
    storage = np.dtype(head.storage or "u1")
    flat: Array
    if size_bytes == head.start:
        flat = np.empty(0, storage)
    elif is_small:
        flat = np.frombuffer(begin, storage, offset=head.start)
    else:
        count = (size_bytes - head.start) // storage.itemsize
        flat = np.memmap(path, storage, "r", head.start, (count,))
    return Values(head.name, head.dtype, head.shape, flat)


def _golden(file: OutputFile, name: str) -> Values:
    if file.path.stat().st_size <= SMALL_BYTES:
        data = file.path.read_bytes()
        digest, source = hashlib.sha256(data).hexdigest(), io.BytesIO(data)
        is_same = digest == file.sha256
        array: Array = np.load(source, allow_pickle=False) if is_same else np.empty(0)
    else:
        is_same = sha256_of(file.path) == file.sha256
        array = np.load(file.path, mmap_mode="r", allow_pickle=False) if is_same else np.empty(0)
    if not is_same:
        raise MalformedError("it was changed after the run was planned")
    return Values(name, array.dtype.name, array.shape, array.reshape(-1))
