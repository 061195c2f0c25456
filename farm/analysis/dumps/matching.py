"""Which tensor of one dump is which of another: ids change with the options of a graph. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

from farm.analysis.dumps.layouts import views
from farm.model.dumps import DumpedTensor, Matched

Match = tuple[int, int, Matched]
"""Places in the candidate's and the reference's tensors."""

MOST_BETWEEN = 256
"""Tensors without a partner that are looked at behind one that has one: many are another model."""


def matches(candidate: Sequence[DumpedTensor], reference: Sequence[DumpedTensor]) -> list[Match]:
    """Pairs in the order of the candidate; what has no partner is in none. Each tensor is in one at most."""
    ours, theirs = set(range(len(candidate))), set(range(len(reference)))
    found: list[Match] = []

    def pair(one: int, partner: int, matched: Matched) -> None:
        found.append((one, partner, matched))
        ours.discard(one)
        theirs.discard(partner)

    for matched, key, in_order in _RULES:
        if in_order:
            for one, partner in _read_between(candidate, reference, found):
                pair(one, partner, Matched.READER)
        mine, other = _by(candidate, ours, key), _by(reference, theirs, key)
        for value, places in mine.items():
            partners = other.get(value, [])
            if not in_order and not len(places) == len(partners) == 1:
                continue
            for one, partner in zip(places, partners, strict=False):
                pair(one, partner, matched)
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


def _read_between(
    candidate: Sequence[DumpedTensor], reference: Sequence[DumpedTensor], found: Sequence[Match]
) -> Iterator[tuple[int, int]]:
    """Weights and constants that are read between the same tensors and can have the same values, where there
    is one such on both sides: what rebuilds a graph gives them new names.
    """
    mine, other = _by_id(candidate), _by_id(reference)
    paired = {one for one, _, _ in found}, {one for _, one, _ in found}
    for one, partner, _ in sorted(found):
        ours = _constants(candidate, mine, candidate[one], paired[0])
        theirs = _constants(reference, other, reference[partner], paired[1])
        fitting = {
            place: [at for at in theirs if _may_be_one(candidate[place], reference[at])] for place in ours
        }
        for place, places in fitting.items():
            if len(places) == 1 and sum(places[0] in all_ for all_ in fitting.values()) == 1:
                paired[0].add(place)
                paired[1].add(places[0])
                yield place, places[0]


def _by_id(tensors: Sequence[DumpedTensor]) -> dict[int, int]:
    return {one.variable: place for place, one in enumerate(tensors) if one.variable is not None}


def _constants(
    tensors: Sequence[DumpedTensor], by_id: Mapping[int, int], reader: DumpedTensor, paired: set[int]
) -> list[int]:
    """Places of what has no inputs and no partner behind a tensor, up to tensors that have a partner."""
    found: list[int] = []
    seen: set[int] = set()
    waiting = deque(reader.inputs)
    while waiting and len(seen) < MOST_BETWEEN:
        place = by_id.get(waiting.popleft())
        if place is None or place in paired or place in seen:
            continue
        seen.add(place)
        waiting += tensors[place].inputs
        if not tensors[place].inputs:
            found.append(place)
    return found


def _may_be_one(one: DumpedTensor, other: DumpedTensor) -> bool:
    return one.dtype == other.dtype and (one.shape == other.shape or bool(views(one.shape, other.shape)))
