"""Where two runs of a graph part: its order from the ids in a dump, and the class of each tensor. Pure."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from farm.model.dumps import DumpedTensor, SnrDrop, TensorPair
from farm.model.outputs import Divergence

BEST_DB = 200.0
"""The ratio of signal to noise of a tensor without noise, where a fall is measured from it."""


def in_graph_order(tensors: Sequence[DumpedTensor]) -> list[int]:
    """Places of the tensors, what is read before what reads it, else by id. A cycle, as only a damaged dump
    has, is cut at its smallest id.
    """
    by_id = {one.variable: place for place, one in enumerate(tensors) if one.variable is not None}
    readers: dict[int, list[int]] = defaultdict(list)
    waits = [0] * len(tensors)
    for place, one in enumerate(tensors):
        for source in {by_id[number] for number in one.inputs if number in by_id} - {place}:
            readers[source].append(place)
            waits[place] += 1
    rank = [(math.inf if one.variable is None else one.variable, place) for place, one in enumerate(tensors)]
    ready = [rank[place] for place in range(len(tensors)) if not waits[place]]
    waiting = sorted(rank, reverse=True)
    heapq.heapify(ready)
    order: list[int] = []
    done: set[int] = set()
    while len(order) < len(tensors):
        while not ready:
            candidate = waiting.pop()
            if candidate[1] not in done:
                ready.append(candidate)
        place = heapq.heappop(ready)[1]
        if place in done:
            continue
        done.add(place)
        order.append(place)
        for reader in readers[place]:
            waits[reader] -= 1
            if not waits[reader] and reader not in done:
                heapq.heappush(ready, rank[reader])
    return order


def classified(pairs: Sequence[TensorPair], graph: Sequence[DumpedTensor]) -> tuple[TensorPair, ...]:
    """The pairs, which are in the order of the graph, with their classes. `graph` are all tensors of the
    candidate: what reads a tensor that has no partner is asked for what that one read.
    """
    sources = _sources(pairs, graph)
    state: dict[int, bool] = {}
    found = []
    for pair in pairs:
        key = pair.candidate.variable
        before = any(state.get(one, False) for one in sources[key]) if key is not None else False
        if pair.difference.problem is not None:
            found.append(pair)  # unknown: it hands on what it read
            if key is not None:
                state[key] = before
            continue
        if key is not None:
            state[key] = pair.is_beyond
        found.append(replace(pair, divergence=_CLASSES[before, pair.is_beyond]))
    return tuple(found)


_CLASSES = {
    (False, False): Divergence.AGREES,
    (False, True): Divergence.INTRODUCED,
    (True, True): Divergence.INHERITED,
    (True, False): Divergence.RECOVERED,
}
"""By whether something that was read is beyond the tolerance, and whether it is itself."""


def _sources(pairs: Sequence[TensorPair], graph: Sequence[DumpedTensor]) -> Mapping[int | None, set[int]]:
    """The compared tensors that each tensor was made of: the nearest ones on every way."""
    paired = {pair.candidate.variable for pair in pairs}
    reach: dict[int | None, set[int]] = defaultdict(set)
    for place in in_graph_order(graph):
        one = graph[place]
        for source in one.inputs:
            if source == one.variable:
                continue
            reach[one.variable] |= {source} if source in paired else reach.get(source, set())
    return reach


def first_diverging(pairs: Sequence[TensorPair]) -> int | None:
    """The place of the earliest tensor that its operator made wrong. Where weights or inputs differ it is the
    earliest operator that read one of these: a changed weight shows itself there.
    """
    beyond = {one.candidate.variable for one in pairs if one.is_beyond and not one.candidate.inputs}
    for place, one in enumerate(pairs):
        if not one.is_beyond or not one.candidate.inputs:
            continue
        if one.divergence is Divergence.INTRODUCED or beyond & set(one.candidate.inputs):
            return place
    return next((place for place, one in enumerate(pairs) if one.is_beyond), None)


def largest_drop(pairs: Sequence[TensorPair]) -> SnrDrop | None:
    """The operator after which the ratio of signal to noise is most below the worst that it read."""
    ratios: dict[int | None, float] = {}
    worst: SnrDrop | None = None
    for one in pairs:
        found = one.difference
        if found.problem is not None or not found.max_abs:
            if found.problem is None:
                ratios[one.candidate.variable] = BEST_DB
            continue
        after = -BEST_DB if found.snr_db is None else found.snr_db
        ratios[one.candidate.variable] = after
        read = [ratios[number] for number in one.candidate.inputs if number in ratios]
        before = min(read, default=BEST_DB)
        if read and before > after and (worst is None or before - after > worst.before_db - worst.after_db):
            operator = one.candidate
            worst = SnrDrop(operator.operator, operator.operator_type, operator.name, before, after)
    return worst
