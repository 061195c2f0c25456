"""Packs: the libraries as one compressed file for a device, without what is for NVIDIA GPUs or with it.

The large library is four fifths code and tables for NVIDIA GPUs. Where there is none, these are filled with
zeros: every address stays, so the library loads and runs, and the zeros are holes on the device's disk. A
pack is made once and kept beside the libraries; `agents/wheel/unpack.py` rebuilds the files.

Format of a pack, version 2. One line of JSON, ended by a newline:

    {"farm_pack": 2, "codec": "xz" | "zlib", "files": [{"name": str, "sha256": str, "size": int}, ...]}

then compressed streams, one after the other, to the end of the file (in version 1 there is one). Put
together, they hold, for each file in order, records of two unsigned 64-bit little-endian integers, offset in
bytes and length in bytes (1 to 1 MiB), and that many bytes; offsets rise, and a record of length 0 ends the
file. Bytes in no record are zeros.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from farm.errors import RunError
from farm.model.artifact import Artifact
from farm.runtime import cache
from farm.runtime.cache import Progress
from farm.runtime.install import InstalledRuntime
from farm.runtime.wheel import WHEEL, Wheel

BLOCK_BYTES = 1 << 20
PAGE_BYTES = 4096
PART_BYTES = 32 << 20
"""Of records in one stream: as many are compressed at once as there are threads."""
DICTIONARY_BYTES = 8 << 20
"""What a device needs of memory to decompress, too; `unpack.py` refuses packs that want much more."""
MOST_THREADS = 4
RECORD = struct.Struct("<QQ")


@dataclass(frozen=True)
class Kind:
    """One of the two packs. `compress` makes a stream of a part."""

    name: str
    label: str
    cuda: bool
    codec: str
    compress: Callable[[bytes], bytes]


def _xz(data: bytes) -> bytes:
    lzma2 = {"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": DICTIONARY_BYTES}
    return lzma.compress(data, check=lzma.CHECK_CRC32, filters=[lzma2])


# docs/decisions/0041 has the figures of other settings.
CPU = Kind("cpu", "packing the libraries without CUDA code", False, "xz", _xz)
FULL = Kind("cuda", "packing the libraries", True, "zlib", lambda data: zlib.compress(data, 1))


@dataclass(frozen=True)
class Pack:
    """A pack file and its contents: (name, sha256, size in bytes) of each file. On a disk they take
    `unpacked_bytes` at most: zeros take nothing.
    """

    artifact: Artifact
    files: tuple[tuple[str, str, int], ...]
    unpacked_bytes: int


def files(runtime: InstalledRuntime, *, cuda: bool, wheel: Wheel = WHEEL) -> tuple[tuple[str, Artifact], ...]:
    """The libraries by their name in a tree on a device, `lib/<file name>`.

    Without `cuda` the first is the one with its CUDA code and tables zeroed. That exists on devices only, so
    its path names no file here.
    """
    first, *others = ((f"lib/{one.name}", one) for one in runtime.libraries)
    if cuda:
        return (first, *others)
    name, whole = first
    nowhere = runtime.root / "on-devices-only" / whole.name
    return (name, Artifact(whole.name, wheel.zeroed_sha256, whole.size_bytes, nowhere)), *others


def cpu_pack(runtime: InstalledRuntime, progress: Progress, *, wheel: Wheel = WHEEL) -> Pack:
    """For a device without an NVIDIA GPU. Raises RunError when it cannot be made."""
    return _pack(CPU, runtime, progress, wheel)


def full_pack(runtime: InstalledRuntime, progress: Progress, *, wheel: Wheel = WHEEL) -> Pack:
    """For a device with an NVIDIA GPU. Raises RunError when it cannot be made."""
    return _pack(FULL, runtime, progress, wheel)


def _pack(kind: Kind, runtime: InstalledRuntime, progress: Progress, wheel: Wheel) -> Pack:
    """The kept pack, made first when there is none; its name has its own digest."""
    found = _kept(kind, runtime.root, wheel)
    if found is None:
        with cache.staging(runtime.root.parent, progress) as staging:
            found = _kept(kind, runtime.root, wheel) or _make(kind, runtime, staging, progress, wheel)
            _remove_others(kind, found)
    digest, listing = found.stem.rpartition("-")[2], _listing(kind, runtime, wheel)
    unpacked_bytes = sum(size for _, _, size in listing) - (0 if kind.cuda else wheel.zeroed_bytes)
    return Pack(Artifact(found.name, digest, found.stat().st_size, found), listing, unpacked_bytes)


def _listing(kind: Kind, runtime: InstalledRuntime, wheel: Wheel) -> tuple[tuple[str, str, int], ...]:
    return tuple(
        (name, one.sha256, one.size_bytes) for name, one in files(runtime, cuda=kind.cuda, wheel=wheel)
    )


def _prefix(kind: Kind, wheel: Wheel) -> str:
    """A pack of a library with other holes is another pack."""
    return kind.name if kind.cuda else f"{kind.name}-{wheel.zeroed_sha256[:12]}"


def _kept(kind: Kind, root: Path, wheel: Wheel) -> Path | None:
    return next(root.glob(f"{_prefix(kind, wheel)}-{'[0-9a-f]' * 64}.pack"), None)


def _remove_others(kind: Kind, found: Path) -> None:
    """Packs of this kind that an older farm made: nobody asks for them any more."""
    for other in found.parent.glob(f"{kind.name}-*.pack"):
        if other != found:
            other.unlink(missing_ok=True)


def _make(kind: Kind, runtime: InstalledRuntime, staging: Path, progress: Progress, wheel: Wheel) -> Path:
    header = {
        "farm_pack": 2,
        "codec": kind.codec,
        "files": [
            {"name": name, "sha256": sha256, "size": size}
            for name, sha256, size in _listing(kind, runtime, wheel)
        ],
    }
    made = staging / "made.pack"
    with made.open("xb") as output:
        output.write(json.dumps(header, separators=(",", ":")).encode() + b"\n")
        for stream in _streams(kind.compress, _parts(_records(kind, runtime, progress, wheel))):
            output.write(stream)
    made.chmod(0o444)
    cache.sync(made)
    final = runtime.root / f"{_prefix(kind, wheel)}-{_digest(kind, made, progress)}.pack"
    cache.publish(made, final, staging)
    return final


def _streams(compress: Callable[[bytes], bytes], parts: Iterable[bytes]) -> Iterator[bytes]:
    """The compressed parts in order. A thread for each core, and one part more than threads in memory."""
    threads = min(os.cpu_count() or 1, MOST_THREADS)
    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for part in parts:
                waiting.append(pool.submit(compress, part))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # of those that were stopped: what has not begun never will
            for future in waiting:
                future.cancel()


def _parts(records: Iterable[bytes]) -> Iterator[bytes]:
    part = bytearray()
    for record in records:
        part += record
        if len(part) >= PART_BYTES:
            yield bytes(part)
            part.clear()
    yield bytes(part)


def _records(kind: Kind, runtime: InstalledRuntime, progress: Progress, wheel: Wheel) -> Iterator[bytes]:
    """What the streams hold. Raises RunError for a library that is damaged."""
    listing = _listing(kind, runtime, wheel)
    total_bytes, done_bytes = sum(size for _, _, size in listing), 0
    for library, (name, sha256, _) in zip(runtime.libraries, listing, strict=True):
        zeroed = () if library.sha256 == sha256 else for_gpus(library.path, wheel)
        digest = hashlib.sha256()
        for offset, block in _blocks(library.path, zeroed):
            digest.update(block)
            for start, end in _runs(block):
                yield RECORD.pack(offset + start, end - start) + block[start:end]
            progress(kind.label, done_bytes + offset + len(block), total_bytes)
        if digest.hexdigest() != sha256:
            raise RunError(
                f"{name} in {runtime.root} is damaged: SHA-256 mismatch",
                hint=f"rm -r {runtime.root}   and then: farm runtime install",
            )
        yield RECORD.pack(0, 0)
        done_bytes += library.size_bytes


def _digest(kind: Kind, made: Path, progress: Progress) -> str:
    """In blocks, each with a word of progress, so that it can be stopped."""
    digest = hashlib.sha256()
    for _, block in _blocks(made, ()):
        digest.update(block)
        progress(kind.label, made.stat().st_size, None)
    return digest.hexdigest()


def for_gpus(path: Path, wheel: Wheel) -> tuple[tuple[int, int], ...]:
    """(first, end) offsets in bytes of what only NVIDIA GPUs need in the first library."""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        named = (one for one in ELFFile(stream).iter_sections() if one.name in wheel.cuda_sections)
        sections = [(one["sh_offset"], one["sh_size"]) for one in named]
    return tuple((offset, offset + size_bytes) for offset, size_bytes in (*sections, *wheel.cuda_tables))


def _blocks(path: Path, zeroed: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, bytes]]:
    """The file in blocks of 1 MiB with their offset, the `zeroed` ranges filled with zeros."""
    with path.open("rb") as stream:
        offset = 0
        while block := stream.read(BLOCK_BYTES):
            for first, end in zeroed:
                start, stop = max(first - offset, 0), min(end - offset, len(block))
                if start < stop:
                    block = block[:start] + bytes(stop - start) + block[stop:]
            yield offset, block
            offset += len(block)


def _runs(block: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of the stretches of `block` that are not pages of zeros."""
    start = None
    for page in range(0, len(block), PAGE_BYTES):
        piece = block[page : page + PAGE_BYTES]
        if piece.count(0) == len(piece):
            if start is not None:
                yield start, page
            start = None
        elif start is None:
            start = page
    if start is not None:
        yield start, len(block)
