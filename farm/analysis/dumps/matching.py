"""Which tensor of one dump is which of another: ids change with the options of a graph. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from farm.model.dumps import DumpedTensor, Matched

Match = tuple[int, int, Matched]
"""Places in the candidate's and the reference's tensors."""


def matches(candidate: Sequence[DumpedTensor], reference: Sequence[DumpedTensor]) -> list[Match]:
    """Pairs in the order of the candidate; what has no partner is in none. Each tensor is in one at most."""
    ours, theirs = set(range(len(candidate))), set(range(len(reference)))
    found: list[Match] = []
    for matched, key, in_order in _RULES:
        mine, other = _by(candidate, ours, key), _by(reference, theirs, key)
        for value, places in mine.items():
            partners = other.get(value, [])
            if not in_order and not len(places) == len(partners) == 1:
                continue
            for one, partner in zip(places, partners, strict=False):
                found.append((one, partner, matched))
                ours.discard(one)
                theirs.discard(partner)
    return sorted(found)


_Key = Callable[[DumpedTensor], Hashable | None]


def _by(tensors: Sequence[DumpedTensor], left: set[int], key: _Key) -> dict[Hashable, list[int]]:
    found: dict[Hashable, list[int]] = defaultdict(list)
    for place in sorted(left):
        if (value := key(tensors[place])) is not None:
            found[value].append(place)
    return found


_RULES: tuple[tuple[Matched, _Key, bool], ...] = (
    (
        Matched.ID,
        lambda one: None if one.variable is None else (one.variable, one.name, one.operator_type),
        False,
    ),
    (Matched.NAME, lambda one: one.name or None, False),
    (Matched.PLACE, lambda one: (one.operator_type, one.shape, one.dtype), True),
)
"""How, by what, and whether several of one kind are paired in their order."""
