"""Packs: the libraries as one compressed file for a device, without their CUDA code or with it.

The large library is three quarters code for NVIDIA GPUs. Where there is none, these sections are filled
with zeros: every address stays, so the library loads and runs, and the zeros are holes on the device's
disk. A pack is made once and kept beside the libraries; `agents/wheel/unpack.py` rebuilds the files.

Format of a pack, version 1. One line of JSON, ended by a newline:

    {"farm_pack": 1, "codec": "xz" | "zlib", "files": [{"name": str, "sha256": str, "size": int}, ...]}

then one compressed stream to the end of the file. It holds, for each file in order, records of two
unsigned 64-bit little-endian integers, offset in bytes and length in bytes (1 to 1 MiB), and that many
bytes; offsets rise, and a record of length 0 ends the file. Bytes in no record are zeros.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from farm.errors import RunError
from farm.model.artifact import Artifact
from farm.runtime import cache
from farm.runtime.cache import Progress
from farm.runtime.install import InstalledRuntime
from farm.runtime.wheel import WHEEL, Wheel

BLOCK_BYTES = 1 << 20
PAGE_BYTES = 4096
RECORD = struct.Struct("<QQ")


class Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


@dataclass(frozen=True)
class Kind:
    """One of the two packs. `level` is the best that does not take minutes on two slow cores."""

    name: str
    label: str
    cuda: bool
    codec: str
    compressor: Callable[[], Compressor]


# Measured on two cores: cpu 77 MB in 11 s (zlib -6: 93 MB in 9 s, xz -1: 75 MB in 20 s);
# cuda 954 MB in 32 s (xz -0: 748 MB in 104 s).
CPU = Kind(
    "cpu", "packing the libraries without CUDA code", False, "xz", lambda: lzma.LZMACompressor(preset=0)
)
FULL = Kind("cuda", "packing the libraries", True, "zlib", lambda: zlib.compressobj(1))


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

    Without `cuda` the first is the one with its CUDA code zeroed. That exists on devices only, so its
    path names no file here.
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
    found = _kept(kind, runtime.root)
    if found is None:
        with cache.staging(runtime.root.parent, progress) as staging:
            found = _kept(kind, runtime.root) or _make(kind, runtime, staging, progress, wheel)
    digest, listing = found.stem.partition("-")[2], _listing(kind, runtime, wheel)
    unpacked_bytes = sum(size for _, _, size in listing) - (0 if kind.cuda else wheel.zeroed_bytes)
    return Pack(Artifact(found.name, digest, found.stat().st_size, found), listing, unpacked_bytes)


def _listing(kind: Kind, runtime: InstalledRuntime, wheel: Wheel) -> tuple[tuple[str, str, int], ...]:
    return tuple(
        (name, one.sha256, one.size_bytes) for name, one in files(runtime, cuda=kind.cuda, wheel=wheel)
    )


def _kept(kind: Kind, root: Path) -> Path | None:
    return next(root.glob(f"{kind.name}-{'[0-9a-f]' * 64}.pack"), None)


def _make(kind: Kind, runtime: InstalledRuntime, staging: Path, progress: Progress, wheel: Wheel) -> Path:
    listing = _listing(kind, runtime, wheel)
    header = {
        "farm_pack": 1,
        "codec": kind.codec,
        "files": [{"name": name, "sha256": sha256, "size": size} for name, sha256, size in listing],
    }
    made = staging / "made.pack"
    compressor = kind.compressor()
    total_bytes, done_bytes = sum(size for _, _, size in listing), 0
    with made.open("xb") as output:
        output.write(json.dumps(header, separators=(",", ":")).encode() + b"\n")
        for library, (name, sha256, _) in zip(runtime.libraries, listing, strict=True):
            zeroed = () if library.sha256 == sha256 else _sections(library.path, wheel.cuda_sections)
            digest = hashlib.sha256()
            for offset, block in _blocks(library.path, zeroed):
                digest.update(block)
                for start, end in _runs(block):
                    output.write(compressor.compress(RECORD.pack(offset + start, end - start)))
                    output.write(compressor.compress(block[start:end]))
                progress(kind.label, done_bytes + offset + len(block), total_bytes)
            if digest.hexdigest() != sha256:
                raise RunError(
                    f"{name} in {runtime.root} is damaged: SHA-256 mismatch",
                    hint=f"rm -r {runtime.root}   and then: farm runtime install",
                )
            output.write(compressor.compress(RECORD.pack(0, 0)))
            done_bytes += library.size_bytes
        output.write(compressor.flush())
    made.chmod(0o444)
    cache.sync(made)
    final = runtime.root / f"{kind.name}-{_digest(kind, made, progress)}.pack"
    cache.publish(made, final, staging)
    return final


def _digest(kind: Kind, made: Path, progress: Progress) -> str:
    """In blocks, each with a word of progress, so that it can be stopped."""
    digest = hashlib.sha256()
    for _, block in _blocks(made, ()):
        digest.update(block)
        progress(kind.label, made.stat().st_size, None)
    return digest.hexdigest()


def _sections(path: Path, names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """(first, end) offsets in bytes of the named sections of an ELF file."""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        elf = ELFFile(stream)
        wanted = (section for section in elf.iter_sections() if section.name in names)
        return tuple((one["sh_offset"], one["sh_offset"] + one["sh_size"]) for one in wanted)


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
