"""What a job is on a device: how it is started, where it is, what it left behind. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate

from farm.device.faults import broken
from farm.device.wire import Reply, decode

SILENCE_S = 600

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LINE = re.compile(rb"[^\n]+")


@dataclass(frozen=True)
class JobSpec:
    """A program to run: absolute argv, limits in seconds (0 is none), extra environment, `folders` to make
    and `copies` (name, digest) to put into its output folder first, and a name that is unique on the device.
    """

    name: str
    argv: tuple[str, ...]
    wall_s: int
    silence_s: int = SILENCE_S
    environment: tuple[tuple[str, str], ...] = ()
    folders: tuple[str, ...] = ()
    copies: tuple[tuple[str, str], ...] = ()

    def words(self) -> tuple[str, ...]:
        """The arguments of `start` after the epoch: each list with its length before it."""
        lists = (
            tuple(f"{key}={value}" for key, value in self.environment),
            self.folders,
            tuple(f"{name}={digest}" for name, digest in self.copies),
        )
        counted = (word for words in lists for word in (str(len(words)), *words))
        return (self.name, str(self.wall_s), str(self.silence_s), *counted, *self.argv)


@dataclass(frozen=True)
class JobState:
    """Where a job is: `exit_code` is None while it runs; `why` is `-` or what ended it from outside.

    The sizes are what was written to each stream so far.
    """

    exit_code: int | None
    why: str
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    telemetry_bytes: int = 0


@dataclass(frozen=True)
class FileEntry:
    """A file under a job's out/. `path` is relative and stays below it; else as the device reports it."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Stream:
    """How a stream of a job begins, and how long it is."""

    begin: bytes
    size_bytes: int


@dataclass(frozen=True)
class Gathered:
    """What an ended job left behind: its streams, and the regular files below its out/."""

    stdout: Stream
    stderr: Stream
    telemetry: Stream
    files: tuple[FileEntry, ...] = ()


def parse_state(reply: Reply) -> JobState:
    """The answer to `poll` and `wait`. Raises DeviceError for anything else."""
    match reply.fields:
        case ("running", _, _, *sizes) if len(sizes) == 3:
            return JobState(None, "-", *map(parse_number, sizes))
        case ("exited", code, why, *sizes) if len(sizes) == 3:
            return JobState(parse_number(code), why, *map(parse_number, sizes))
        case fields:
            raise broken(f"the state of a job was answered with {fields}")


def parse_gathered(reply: Reply, data: bytes, limit_bytes: int) -> Gathered:
    """The answer to `gather` with this limit per stream. Raises DeviceError when a length does not fit."""
    if len(reply.fields) != 4:
        raise broken(f"gather was answered with {reply.fields}")
    listing_bytes, *sizes = map(parse_number, reply.fields)
    here = [min(size, limit_bytes) for size in sizes]
    if listing_bytes + sum(here) != len(data):
        raise broken(f"gather was answered with {len(data)} bytes, which is not what {reply.fields} announce")
    starts = accumulate(here, initial=listing_bytes)
    begins = (data[start : start + count] for start, count in zip(starts, here, strict=False))
    out, err, telemetry = map(Stream, begins, sizes)
    return Gathered(out, err, telemetry, parse_files(data[:listing_bytes]))


def parse_files(data: bytes) -> tuple[FileEntry, ...]:
    """Lines `<sha256> <size_bytes> <encoded path>`. Raises DeviceError for anything else."""
    entries = []
    for found in _LINE.finditer(data):
        line = found[0]
        try:
            sha256, size, path = map(decode, line.split(b" "))
        except ValueError as error:
            raise broken(f"not a file entry: {line[:80]!r}") from error
        is_below = not path.startswith("/") and ".." not in path.split("/")
        if not _DIGEST.fullmatch(sha256) or not is_below:
            raise broken(f"not a file entry: {line[:80]!r}")
        entries.append(FileEntry(path, sha256, parse_number(size)))
    return tuple(entries)


def parse_number(text: str = "") -> int:
    """A count or a size. Raises DeviceError for anything else."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise broken(f"not a number: {text[:80]!r}")
    return int(text)
