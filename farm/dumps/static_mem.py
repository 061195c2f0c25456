"""The JSON that `--get-static-mem-info` writes: the plan of the static memory."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from farm.dumps.json_text import as_count, as_object, load_object
from farm.dumps.malformed import MalformedError

MAX_CHUNKS = 1_000_000
MAX_BYTES = 256 << 20
"""A larger file is not to be read: it would take ten times its size."""

LONGEST_NAME = 200


@dataclass(frozen=True)
class Chunk:
    """One piece of memory: bytes `[start, end)`, in use from step `begin` to `finish` of the sequence."""

    id: str
    is_weight: bool
    start: int
    end: int
    begin: int
    finish: int


@dataclass(frozen=True)
class StaticMemory:
    """The plan. `operators` are (step, name) of the sequence; `left_out` counts malformed chunks."""

    chunks: tuple[Chunk, ...]
    operators: tuple[tuple[int, str], ...] = ()
    left_out: int = 0

    @property
    def peak_bytes(self) -> int:
        """Bytes of static memory that the plan needs, weights not counted."""
        return max((chunk.end for chunk in self.chunks if not chunk.is_weight), default=0)

    @property
    def weight_bytes(self) -> int:
        return sum(chunk.end - chunk.start for chunk in self.chunks if chunk.is_weight)


def parse_static_memory(text: str) -> StaticMemory:
    """`StaticMemoryInfo.json`. Raises MalformedError if it has no plan; malformed chunks are left out."""
    plan = load_object(text, "the memory plan")
    found = as_object(plan.get("chunk"))
    if not found:
        raise MalformedError("the memory plan has no chunks")
    chunks = (_chunk(key, as_object(value)) for key, value in islice(found.items(), MAX_CHUNKS))
    kept = tuple(chunk for chunk in chunks if chunk is not None)
    operators = islice(as_object(plan.get("opr")).items(), MAX_CHUNKS)
    steps = ((as_count(key), as_object(value).get("name")) for key, value in operators)
    named = tuple((step, str(name)[:LONGEST_NAME]) for step, name in steps if step is not None and name)
    return StaticMemory(kept, named, len(found) - len(kept))


def _chunk(key: str, value: dict[str, object]) -> Chunk | None:
    names = ("logic_addr_begin", "logic_addr_end", "time_begin", "time_end")
    start, end, begin, finish = (as_count(value.get(name)) for name in names)
    if start is None or end is None or begin is None or finish is None or end < start:
        return None
    return Chunk(
        str(value.get("id", key))[:100], value.get("type") == "weight_mem", start, end, begin, finish
    )
