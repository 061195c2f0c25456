"""Files of a round that are here already, or came whole, kept in one go: each alone would cost two changes of
thread, which under load take longer than the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from farm.device.spool import FileEntry
from farm.model.artifact import Produced
from farm.run.pull.together import MOST_BYTES, MOST_FILES, SMALL_BYTES
from farm.store.folder import OUT, BadNameError, RoundFolder


@dataclass(frozen=True)
class Announced:
    """A file that the device tells of, what it is for, and what came of it, which may be anything."""

    entry: FileEntry
    role: str
    content: bytes = b""

    @property
    def name(self) -> str:
        return f"{OUT}/{self.entry.path}"


def in_batches(files: Iterable[Announced]) -> Iterator[list[Announced]]:
    """As many as are in memory at once."""
    batch: list[Announced] = []
    size_bytes = 0
    for one in files:
        batch.append(one)
        size_bytes += one.entry.size_bytes if one.entry.size_bytes <= SMALL_BYTES else 0
        if len(batch) == MOST_FILES or size_bytes >= MOST_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def kept_at_once(folder: RoundFolder, files: Sequence[Announced]) -> list[Produced | BadNameError | None]:
    """What is here already, or has the content that it should; None: it is neither. Raises OSError."""
    kept: list[Produced | BadNameError | None] = []
    for one in files:
        try:
            kept.append(_kept(folder, one))
        except BadNameError as error:
            kept.append(error)
    return kept


def _kept(folder: RoundFolder, one: Announced) -> Produced | None:
    entry = one.entry
    if len(one.content) == entry.size_bytes and sha256(one.content).hexdigest() == entry.sha256:
        return folder.keep_content(one.content, role=one.role, name=one.name)
    if folder.has(entry.sha256, entry.size_bytes):
        return folder.link(entry.sha256, role=one.role, name=one.name)
    return None
