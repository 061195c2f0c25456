"""Successive halving: what has been measured in, the next step out. Pure, and the same for a resumed search.

Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization" (2016):
each rung has the better part of the one before, and as much more of the budget for each. Here the arms are
ranked by the ratio to the default in the same blocks of rounds, not by medians of different moments.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from farm.model.matrix import FRESH_PAIRS
from farm.tune.nouns import DEFAULT, FITTING, Candidate, Kind, LeftOut, Outcome, Step, Tune, own_values
from farm.tune.space import sample

ETA = 3
"""One of so many goes on."""
FEWEST_ROUNDS, MOST_ROUNDS = 2, 30
MOST_FIRST_ROUNDS = 6
"""Of the first rung: a larger budget is better spent on fewer candidates."""
CHECK_ROUNDS = 2
"""That a candidate takes besides, in the first rung: its outputs are compared."""
ASSUMED_ROUND_S = 1.0
"""Until a round was measured."""
LEAST_SCREEN, MOST_SCREEN = 6, 30
"""Pairs of the confirmation before its fresh ones, of which there are as many, and 20 at least."""
CONFIRM_ROUNDS = 2 * (LEAST_SCREEN + FRESH_PAIRS)
"""Of the default and the winner together."""
MOST_TO_CONFIRM = 0.4
"""Of what is left of the budget."""
MOST_FOR_VALUES = 0.25
"""Of the budget."""
MARGIN = 0.95
"""The part of what is left that is given to rounds: a run takes longer than they do."""
HOPELESS = 3.0
"""A value that alone makes the model so many times slower is not combined with others. The fastest iterations
say so: what else the device does can make a round slow, but none fast.
"""


def next_step(tune: Tune) -> Step | None:
    """What is measured next; None where the best one is known and waits for its confirmation."""
    if tune.steps and not tune.steps[-1].is_measured:
        return tune.steps[-1]
    if not tune.steps and is_screened(tune.candidates):
        return _values(tune)
    rung = tune.last_rung
    names = candidates_left(tune)
    if not names or (rung is not None and len(names) == 1):
        return None
    return _rung(tune, names, 1 + sum(one.kind is Kind.RUNG for one in tune.steps))


def is_screened(candidates: Sequence[Candidate]) -> bool:
    """Whether values are tried alone before they are combined: where that is less than half of the work, or
    something has to be searched for.
    """
    singles = [one for one in candidates if one.is_single]
    is_searched = any(one.name == FITTING for one in candidates)
    return is_searched or len(candidates) >= 2 * (len(singles) + 1) > 2


def candidates_left(tune: Tune) -> tuple[str, ...]:
    """Names of those that go on, the best first; before the first rung all that may, in the order of the
    space. Without the default, which always goes on.
    """
    rung = tune.last_rung
    if rung is not None:
        return survivors(rung)
    return tuple(one.name for one in _usable(tune) if one.name != DEFAULT)


def survivors(step: Step) -> tuple[str, ...]:
    """The better part of a rung, the best first: fewer than there were, unless there was one."""
    good = ranked(step.outcomes)
    most = math.ceil(sum(name != DEFAULT for name in step.candidates) / ETA)
    return tuple(one.name for one in good[:most])


def ranked(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Those that may be the answer, the fastest first; without the default."""
    good = [(one.ratio, one) for one in outcomes if one.name != DEFAULT and one.dropped is None]
    known = [(ratio, one) for ratio, one in good if ratio is not None]
    return tuple(one for _, one in sorted(known, key=lambda both: both[0]))


# --------------------------------------------------------------------------- the first steps


def _values(tune: Tune) -> Step:
    names = (one.name for one in tune.candidates if one.is_single or one.name in (DEFAULT, FITTING))
    budget_s = MOST_FOR_VALUES * tune.budget_s
    return Step(Kind.VALUES, "values", tuple(dict.fromkeys((DEFAULT, *names))), FEWEST_ROUNDS, budget_s)


def left_out(tune: Tune) -> tuple[LeftOut, ...]:
    """The values that do not work here, or are hopeless, by what each of them did alone."""
    first = _first(tune)
    by_name, found = tune.by_name, []
    for one in first.outcomes if first else ():
        candidate = by_name.get(one.name)
        why = one.dropped or _hopeless(first, one)
        if candidate is not None and candidate.is_single and why is not None:
            (value,) = own_values(candidate.values)
            number = sum(value in other.values for other in tune.candidates)
            found.append(LeftOut(value, why, number))
    return tuple(found)


def _hopeless(first: Step | None, one: Outcome) -> str | None:
    default_ms = first.outcomes[0].min_ms if first else None
    if not default_ms or one.min_ms is None or one.min_ms <= HOPELESS * default_ms:
        return None
    return f"{one.min_ms / default_ms:.1f} times as slow alone"


def _usable(tune: Tune) -> tuple[Candidate, ...]:
    """Those that may be combined and measured; the default always, since all others are compared with it."""
    bad = {one.value for one in tune.left_out}
    first = _first(tune)
    dropped = {one.name for one in (first.outcomes if first else ()) if one.dropped}
    return tuple(
        one
        for one in tune.candidates
        if one.name == DEFAULT or (not bad & set(one.values) and one.name not in dropped)
    )


def _first(tune: Tune) -> Step | None:
    return next((one for one in tune.steps if one.kind is Kind.VALUES and one.is_measured), None)


# --------------------------------------------------------------------------- rungs and their budget


def _rung(tune: Tune, names: Sequence[str], number: int) -> Step:
    name = f"rung-{number}"
    if number > 1:
        return _later(tune, names, name)
    usable = _usable(tune)
    for_search_s = _for_search_s(tune)
    count = max((n for n in range(2, len(usable) + 1) if _cost_s(tune, n) <= for_search_s), default=2)
    chosen = sample(usable, max(count, min(ETA + 1, len(usable))), tune.seed)
    rungs = rungs_of(len(chosen) - 1)
    share_s = for_search_s / rungs
    spare_s = share_s - _prepare_s(tune, chosen)
    rounds = math.floor(spare_s / (len(chosen) * _mean_round_s(tune))) - CHECK_ROUNDS
    rounds = min(max(rounds, FEWEST_ROUNDS), MOST_FIRST_ROUNDS)
    return Step(Kind.RUNG, name, tuple(one.name for one in chosen), rounds, _at_least(share_s))


def _later(tune: Tune, names: Sequence[str], name: str) -> Step:
    before = tune.steps[-1]
    seconds = seconds_of(tune)
    chosen = (DEFAULT, *names)
    share_s = _for_search_s(tune) / rungs_of(len(names))
    rounds = math.floor(share_s / sum(seconds[one] for one in chosen))
    rounds = min(max(rounds, before.rounds), MOST_ROUNDS)
    return Step(Kind.RUNG, name, chosen, rounds, _at_least(share_s))


def rungs_of(count: int) -> int:
    """How many rungs it takes until one of so many candidates is left."""
    rungs = 1
    while (count := math.ceil(count / ETA)) > 1:
        rungs += 1
    return rungs


def seconds_of(tune: Tune) -> Mapping[str, float]:
    """How long a round takes, by candidate: as it was last, or as they did on average. Never 0."""
    mean_s = _mean_round_s(tune)
    known = {
        one.name: one.round_s
        for step in tune.steps
        for one in step.outcomes
        if one.round_s and one.name != FITTING
    }
    return {one.name: known.get(one.name, mean_s) for one in tune.candidates}


def _mean_round_s(tune: Tune) -> float:
    measured = [one for one in tune.steps if one.is_measured]
    last = [one.round_s for one in (measured[-1].outcomes if measured else ()) if one.round_s]
    return statistics.fmean(last) if last else ASSUMED_ROUND_S


def confirm_budget_s(tune: Tune) -> float:
    """All that is left, and in any case enough for a few pairs: a search should have an answer."""
    return _at_least(max(MARGIN * (tune.budget_s - tune.spent_s), _confirm_s(tune) / 2))


def confirm_rounds(tune: Tune) -> int:
    """Of the screen of the confirmation: more than the fewest where there is time for as many fresh ones."""
    pairs = math.floor(confirm_budget_s(tune) / (2 * _mean_round_s(tune)))
    return min(pairs // 2, MOST_SCREEN) if pairs // 2 > FRESH_PAIRS else LEAST_SCREEN


def _confirm_s(tune: Tune) -> float:
    return CONFIRM_ROUNDS * _mean_round_s(tune)


def _for_search_s(tune: Tune) -> float:
    left_s = max(tune.budget_s - tune.spent_s, 0.0)
    return left_s - min(_confirm_s(tune), MOST_TO_CONFIRM * left_s)


def _cost_s(tune: Tune, count: int) -> float:
    """Of a search that begins with so many candidates (the default is one), with the fewest rounds."""
    rungs = rungs_of(count - 1)
    usable = _usable(tune)
    prepare_s = _prepare_s(tune, usable) * count / max(len(usable), 1)
    return count * (CHECK_ROUNDS + rungs * FEWEST_ROUNDS) * _mean_round_s(tune) + prepare_s


def _prepare_s(tune: Tune, candidates: Sequence[Candidate]) -> float:
    """Of their searches and transformations, each as it was for its value alone."""
    first = _first(tune)
    by_name = tune.by_name
    known: dict[str, float] = {}
    for one in first.outcomes if first else ():
        if one.name in by_name and by_name[one.name].is_single:
            known[own_values(by_name[one.name].values)[0]] = one.prepared_s
    return sum(known.get(value, 0.0) for one in candidates for value in one.values)


def _at_least(budget_s: float) -> float:
    """The first block of rounds runs in any case."""
    return max(round(budget_s, 1), 1.0)


def measured(tune: Tune, step: Step) -> Tune:
    """The search with what came of its last step."""
    return replace(tune, steps=(*tune.steps[:-1], step))
