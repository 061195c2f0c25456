"""Many small files as one stream: a tar archive in which each is named as the device's store names it."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence

from farm.model.artifact import Artifact

SMALL_BYTES = 256 << 10
"""Larger files travel alone: what came of one that broke off is kept."""

MOST_FILES = 1000
MOST_BYTES = 8 << 20
"""Of an archive, which is kept whole or not at all; its digests are one command line on the device."""


def is_small(artifact: Artifact) -> bool:
    return artifact.size_bytes <= SMALL_BYTES


def archives(artifacts: Sequence[Artifact]) -> Iterator[tuple[Artifact, ...]]:
    """Small files in groups that make an archive each."""
    group: list[Artifact] = []
    size_bytes = 0
    for artifact in artifacts:
        size_bytes += artifact.size_bytes
        if group and (len(group) == MOST_FILES or size_bytes > MOST_BYTES):
            yield tuple(group)
            group, size_bytes = [], artifact.size_bytes
        group.append(artifact)
    if group:
        yield tuple(group)


def archive_of(artifacts: Sequence[Artifact]) -> bytes:
    """A tar archive of files, which are read whole. A file whose size changed is cut or filled up, which its
    digest shows. Raises OSError.
    """
    pieces = []
    for artifact in artifacts:
        with artifact.path.open("rb") as stream:
            content = stream.read(artifact.size_bytes).ljust(artifact.size_bytes, b"\0")
        header = tarfile.TarInfo(f"{artifact.sha256[:2]}/{artifact.sha256}")
        header.size, header.mode = artifact.size_bytes, 0o555
        padding = bytes(-len(content) % tarfile.BLOCKSIZE)
        pieces += [header.tobuf(tarfile.USTAR_FORMAT), content, padding]
    return b"".join((*pieces, bytes(2 * tarfile.BLOCKSIZE)))
