"""A memory plan as a timeline. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from farm.dumps.static_mem import Chunk, StaticMemory
from farm.model.memory import Holder, MemoryStep, MemoryTimeline

MOST_STEPS = 50_000
MOST_HOLDERS = 100


def memory_timeline(plan: StaticMemory) -> MemoryTimeline:
    """What is in use at each step, the peak, and what holds it.

    A piece that is written over another one (an operator in place) has the same bytes: these count once.
    """
    pieces = [one for one in plan.chunks if not one.is_weight and one.finish > one.begin]
    last = min(max((one.finish for one in pieces), default=0), MOST_STEPS)
    used = _used(pieces, last)
    peak_step = max(range(last), key=used.__getitem__, default=0)
    names = dict(plan.operators)
    held = [one for one in pieces if one.begin <= peak_step < one.finish]
    return MemoryTimeline(
        steps=tuple(MemoryStep(step, names.get(step, ""), size) for step, size in enumerate(used)),
        peak_bytes=used[peak_step] if used else 0,
        peak_step=peak_step,
        holders=_holders(held, names),
        reserved_bytes=plan.peak_bytes,
        weight_bytes=plan.weight_bytes,
        left_out=plan.left_out + sum(one.begin >= last for one in pieces),
    )


def _used(pieces: Sequence[Chunk], last: int) -> list[int]:
    """Bytes in use at each step: the union of the pieces, since one in place has the bytes of another."""
    begins: dict[int, list[Chunk]] = {}
    finishes: dict[int, list[Chunk]] = {}
    for one in pieces:
        begins.setdefault(one.begin, []).append(one)
        finishes.setdefault(one.finish, []).append(one)
    by_span: dict[tuple[int, int], int] = {}
    used, total = [], 0
    for step in range(last):
        for one in finishes.get(step, ()):
            span = one.start, one.end
            by_span[span] -= 1
            total -= 0 if by_span[span] else one.end - one.start
        for one in begins.get(step, ()):
            span = one.start, one.end
            by_span[span] = by_span.get(span, 0) + 1
            total += one.end - one.start if by_span[span] == 1 else 0
        used.append(total)
    return used


def _holders(held: Sequence[Chunk], names: dict[int, str]) -> tuple[Holder, ...]:
    by_span: dict[tuple[int, int], Chunk] = {}
    for one in sorted(held, key=lambda one: one.begin):
        by_span[one.start, one.end] = one  # the latest of those in place
    found = [
        Holder(names.get(one.begin, f"piece {one.id}"), one.end - one.start, one.begin, one.finish)
        for one in by_span.values()
    ]
    return tuple(sorted(found, key=lambda one: -one.size_bytes)[:MOST_HOLDERS])
