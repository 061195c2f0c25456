"""What is in a dump: the head of each tensor, from a folder, from single files, or from a text dump.

Never raises for what is in a file: what cannot be read is a finding.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from farm.dumps.io_text import MAX_LINE_CHARS, Variable, variables
from farm.dumps.malformed import MalformedError
from farm.dumps.tensor import HEAD_BYTES, TensorHead, item_bytes, parse_head
from farm.dumps.tensor_names import io_file_key, out_file_key
from farm.model.dumps import DumpedTensor
from farm.plan.content.npy import DAMAGED
from farm.run.tensors.source import Source, open_file
from farm.visible import one_line

MOST_TENSORS = 100_000
"""Of a dump: their heads take about 100 MB."""

MOST_NAMES = 1_000_000
"""Of a folder: its first so many files are looked at."""

MOST_TEXT_BYTES = 2 << 30
"""Of a text dump, which has all tensors again for each inference."""

MOST_FINDINGS = 5
NAME_CHARS = 200
USUAL_HEAD_BYTES = 4096
TEXT_BEGINS = (b"var", b"==== ")
NPY_BEGINS = b"\x93NUMPY"


@dataclass
class Dump:
    """A dump: `tensors` and, in the same order, where their values are."""

    label: str
    tensors: list[DumpedTensor] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    unreadable: int = 0

    @property
    def is_text(self) -> bool:
        return any(one.text is not None for one in self.sources[:1])

    def add(self, tensor: DumpedTensor, source: Source) -> None:
        self.tensors.append(tensor)
        self.sources.append(source)

    def refuse(self, what: str) -> None:
        self.unreadable += 1
        if self.unreadable <= MOST_FINDINGS:
            self.findings.append(what)


def read_dump(label: str, paths: Sequence[Path]) -> Dump:
    """All tensors of files and folders; of a `--bin-out-dump` those of its first run."""
    found = Dump(label)
    for path in paths:
        for file in _files(found, path):
            if _is_full(found):
                return _told(found)
            _read(found, file)
    return _told(found)


def size_of(paths: Iterable[Path]) -> int:
    """About how many bytes files and folders have; what cannot be read has none."""
    total = 0
    for path in paths:
        try:
            with os.scandir(path) if path.is_dir() else nullcontext(()) as entries:
                total += sum(entry.stat().st_size for entry in entries) or path.stat().st_size
        except OSError:
            continue
    return total


def _is_full(found: Dump) -> bool:
    if len(found.tensors) < MOST_TENSORS:
        return False
    text = f"only the first {MOST_TENSORS:,} tensors are compared"
    found.findings += [] if text in found.findings else [text]
    return True


def _told(found: Dump) -> Dump:
    if found.unreadable > MOST_FINDINGS:
        found.findings.append(f"{found.unreadable - MOST_FINDINGS:,} more files cannot be read")
    if not found.tensors:
        found.findings.append("there are no tensors in it")
    return found


def _files(found: Dump, path: Path) -> Iterable[Path]:
    """The files of a folder that a dump has, by id; a file is itself."""
    if not path.is_dir():
        return (path,)
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in islice(entries, MOST_NAMES))
    except OSError as error:
        found.refuse(f"{_shown(path)} cannot be read: {error.strerror}")
        return ()
    if len(names) >= MOST_NAMES:
        found.findings.append(f"{_shown(path)}: only its first {MOST_NAMES:,} files are looked at")
    by_id = {name: key for name in names if (key := io_file_key(name)) is not None}
    if by_id:
        return [path / name for name in sorted(by_id, key=by_id.__getitem__)]
    by_run = {name: run for name in names if (run := out_file_key(name)) is not None}
    first = min((run for run, _ in by_run.values()), default=0)
    if len({run for run, _ in by_run.values()}) > 1:
        found.findings.append(f"several runs of the model: run {first} is compared")
    mine = [name for name, (run, _) in by_run.items() if run == first]
    others = [name for name in names if name.endswith((".npy", ".txt"))]
    return [path / name for name in [*sorted(mine, key=lambda name: by_run[name][1]), *others]]


def _read(found: Dump, path: Path) -> None:
    try:
        descriptor = open_file(path)
        try:
            begin = os.pread(descriptor, USUAL_HEAD_BYTES, 0)
            if begin.startswith(NPY_BEGINS):
                _read_npy(found, path)
            elif begin.startswith(TEXT_BEGINS):
                _read_text(found, path)
            else:
                _read_binary(found, path, descriptor, begin)
        finally:
            os.close(descriptor)
    except MalformedError as error:
        found.refuse(f"{_shown(path)}: {one_line(error.message, NAME_CHARS)}")
    except (OSError, *DAMAGED) as error:
        found.refuse(f"{_shown(path)} cannot be read: {getattr(error, 'strerror', None) or error}")


def _read_binary(found: Dump, path: Path, descriptor: int, begin: bytes) -> None:
    size_bytes = os.fstat(descriptor).st_size
    needed = 12 + 4 * 7 + int.from_bytes(begin[:4], "little")
    if len(begin) < needed <= HEAD_BYTES:
        begin = os.pread(descriptor, needed, 0)
    head = parse_head(begin, size_bytes)
    name = one_line(head.name, NAME_CHARS)
    storage = head.storage or "u1"
    item = item_bytes(storage)
    count = (size_bytes - head.start) // item
    found.add(
        _tensor(head, name, size_bytes, path),
        Source(
            path, name, head.dtype, head.shape, storage, item, head.start, count, head.scale, head.zero_point
        ),
    )


def _tensor(head: TensorHead, name: str, size_bytes: int, path: Path) -> DumpedTensor:
    operator, type_ = head.operator
    return DumpedTensor(
        variable=head.variable,
        name=name,
        operator=one_line(operator, NAME_CHARS),
        operator_type=one_line(type_, NAME_CHARS),
        dtype=head.dtype,
        shape=head.shape,
        inputs=head.inputs,
        size_bytes=size_bytes - head.start,
        file=_shown(path),
    )


def _read_npy(found: Dump, path: Path) -> None:
    """A golden file: its tensor has the file's name."""
    import numpy as np

    with path.open("rb") as stream:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, is_fortran, dtype = read(stream)
        start = stream.tell()
        size_bytes = os.fstat(stream.fileno()).st_size
    count = math.prod(shape)
    if is_fortran or dtype.hasobject or dtype.byteorder == ">":
        raise MalformedError("it is not in C order and little-endian: save it with numpy.ascontiguousarray")
    if size_bytes - start != count * dtype.itemsize:
        raise MalformedError(f"{size_bytes - start:,} bytes of data instead of {count * dtype.itemsize:,}")
    name = one_line(path.stem, NAME_CHARS)
    found.add(
        DumpedTensor(None, name, "", "", dtype.name, shape, size_bytes=size_bytes - start, file=_shown(path)),
        Source(path, name, dtype.name, shape, dtype.str, dtype.itemsize, start, count),
    )


def _read_text(found: Dump, path: Path) -> None:
    """A text dump: what it says of each variable stands for its values. Its first run counts."""
    seen: set[int] = set()
    with path.open("rb") as stream:
        for one in variables(_lines(stream.readline)):
            if one.id in seen:
                continue
            if _is_full(found):
                break
            seen.add(one.id)
            found.add(*_from_text(one, path))
        if stream.tell() >= MOST_TEXT_BYTES:
            found.findings.append(f"{_shown(path)}: only its first {MOST_TEXT_BYTES:,} bytes are read")
    if not found.tensors:
        raise MalformedError("text dump: no variable in it is whole")
    found.findings.append("a text dump has the first values and the statistics of each tensor only")


def _lines(read: Callable[[int], bytes]) -> Iterator[str]:
    """Lines of at most MAX_LINE_CHARS bytes; of a longer one the parts, which are no lines of a dump."""
    left = MOST_TEXT_BYTES
    while left > 0 and (line := read(min(MAX_LINE_CHARS, left))):
        left -= len(line)
        yield line.decode("utf-8", "replace")


def _from_text(one: Variable, path: Path) -> tuple[DumpedTensor, Source]:
    statistics = (one.minimum, one.maximum, one.mean, one.l2, one.deviation)
    values = (*one.head, *(math.nan if number is None else number for number in statistics))
    name = one_line(one.name, NAME_CHARS)
    operator, type_ = one_line(one.operator, NAME_CHARS), one_line(one.operator_type, NAME_CHARS)
    dtype = one_line(one.dtype, NAME_CHARS).lower()
    tensor = DumpedTensor(one.id, name, operator, type_, dtype, one.shape, one.inputs, 0, _shown(path))
    return tensor, Source(path, name, "float64", (len(values),), "<f8", 8, 0, len(values), text=values)


def _shown(path: Path) -> str:
    return one_line(str(path), NAME_CHARS)
