"""What a device's store holds, from the agent's `stock`: sections `== name` of raw text. Pure.

As with the facts, everything here comes from a device: what does not fit is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from farm.device.probe import disk_of, sections
from farm.visible import one_line

NAME_LIMIT = 60
TARGET_CHARS = 80
_ENTRY = re.compile(r"cas/[0-9a-f]{2}/([0-9a-f]{64})")
_REST = re.compile(r"incoming/[A-Za-z0-9._-]{1,200}|cas/[0-9a-f]{2}/[0-9a-f]{64}\.[a-z]{1,20}")
_TREE = re.compile(r"[A-Za-z0-9._-]{1,200}")
_FOLDER = re.compile(r"trees/([A-Za-z0-9._-]{1,200})(?:/.*)?:")
_TARGET = re.compile(r"cas/[0-9a-f]{2}/([0-9a-f]{64})\Z")
_SIZE = re.compile(r"([0-9]{1,15})\s+(?:\./)?(\S+)")


@dataclass(frozen=True)
class Stored:
    """A file of the store by its path in the working directory; `name` is what a tree calls it, or empty.
    `sha256` is None for what is no whole file: a partial upload, say.
    """

    path: str
    size_bytes: int
    sha256: str | None = None
    name: str = ""


@dataclass(frozen=True)
class StoredTree:
    """A folder of links to files of the store."""

    path: str
    sha256s: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Stock:
    """Files and trees, those that were not used for longest first. None: the device does not tell."""

    disk_bytes: int | None = None
    free_bytes: int | None = None
    files: tuple[Stored, ...] = ()
    trees: tuple[StoredTree, ...] = ()

    @property
    def held_bytes(self) -> int:
        """What all files take on the disk."""
        return sum(file.size_bytes for file in self.files)


def parse_stock(raw: str) -> Stock:
    """The stock that the text tells of."""
    part = sections(raw)
    disk_bytes, free_bytes = disk_of(part.get("df", []))
    sizes = _sizes(part.get("sizes", []))
    names, content = _links(part.get("links", []))
    rests = [path for path in sizes if _REST.fullmatch(path)]
    entries = [path for line in part.get("files", []) if (path := f"cas/{line.removeprefix('./')}") in sizes]
    found = [(path, match[1]) for path in entries if (match := _ENTRY.fullmatch(path))]
    trees = [name for name in part.get("trees", []) if _TREE.fullmatch(name) and name.strip(".")]
    return Stock(
        disk_bytes,
        free_bytes,
        (
            *(Stored(path, sizes[path]) for path in rests),
            *(Stored(path, sizes[path], sha256, names.get(sha256, "")) for path, sha256 in found),
        ),
        tuple(StoredTree(f"trees/{name}", frozenset(content.get(name, ()))) for name in trees),
    )


def _sizes(lines: list[str]) -> dict[str, int]:
    """`du -ak`: bytes on the disk by path."""
    found = (_SIZE.fullmatch(line) for line in lines)
    return {match[2]: int(match[1]) * 1024 for match in found if match}


def _links(lines: list[str]) -> tuple[Mapping[str, str], Mapping[str, set[str]]]:
    """`ls -lR trees`: the name of each file by its digest, and the digests of each tree."""
    names: dict[str, str] = {}
    content: dict[str, set[str]] = {}
    tree = ""
    for line in lines:
        link, arrow, target = line.partition(" -> ")
        if arrow and (found := _TARGET.search(target[-TARGET_CHARS:])):
            names[found[1]] = one_line(link.rpartition(" ")[2], NAME_LIMIT)
            content.setdefault(tree, set()).add(found[1])
        elif folder := _FOLDER.fullmatch(line):
            tree = folder[1]
    return names, content
