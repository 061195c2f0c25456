"""How a file is made of ranges of older ones and of what is sent."""

from __future__ import annotations

from dataclasses import dataclass

FRESH = "-"
"""In the place of an older file: what is sent."""


@dataclass(frozen=True)
class Op:
    """A range of an older file, by its SHA-256, or of what is sent (`FRESH`), in bytes."""

    place: str
    offset: int
    length: int


@dataclass(frozen=True)
class Recipe:
    """How a file is made: `ops` in its order; what is sent is `fresh`, (offset, length) in the file."""

    ops: tuple[Op, ...]
    fresh: tuple[tuple[int, int], ...]

    @property
    def sent_bytes(self) -> int:
        return sum(length for _, length in self.fresh)

    def words(self) -> tuple[str, ...]:
        """As the agent's `assemble` takes them; it computes with nothing."""
        return tuple(f"{op.place}:{op.offset}:{op.offset + 1}:{op.length}" for op in self.ops)
