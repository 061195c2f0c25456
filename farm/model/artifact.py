"""Files that are pushed or pulled, identified by their SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Artifact:
    """A file of known content. `path` is its place on the controller, `name` its readable name."""

    name: str
    sha256: str
    size_bytes: int
    path: Path
    executable: bool = False


@dataclass(frozen=True)
class Script:
    """What is sent to a device as it is and started there: the agent."""

    content: bytes
    sha256: str


@dataclass(frozen=True)
class Produced:
    """A file that a round wrote, as listed in results.json.

    `role` is what it is (`profile`, `io-dump`, `stdout`, `stderr`, ...); `path` is relative to the
    run directory.
    """

    role: str
    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Tree:
    """A folder to be laid out on a device: relative name -> artifact (a program and its libraries).

    `name` is derived from the digests, so equal trees are laid out once.
    """

    name: str
    files: tuple[tuple[str, Artifact], ...]
