"""Two runs: cell by cell, the rounds of two nights.

They are not pairs, and what differs between two nights (heat, other jobs, updates) is in the difference: so
they are never `slower` or `faster` by themselves. Only fresh pairs of one lease say that.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from farm.analysis.effects import unpaired
from farm.analysis.sample_size import pairs_wanted
from farm.analysis.verdicts import FEWEST_PAIRS, screen_settles
from farm.compare.duels import comparisons, trouble
from farm.compare.fingerprint import Differences, Side, differences, fingerprint
from farm.compare.match import found_change, match
from farm.compare.rounds import MOST_DROPPED, values_ms
from farm.compare.words import sentence
from farm.errors import RequestError
from farm.model.comparison import Change, Comparing, Comparison, Earlier, Effect, Verdict
from farm.model.run import CellResult, Results

TWO_NIGHTS = "rounds of two runs, not pairs of one"


@dataclass(frozen=True)
class TwoRuns:
    """`comparisons` of the cells that both have; the ids of those that only one of them has."""

    baseline_run: str
    run: str
    change: Change
    comparing: Comparing
    comparisons: tuple[Comparison, ...]
    without_baseline: tuple[str, ...] = ()
    not_in_run: tuple[str, ...] = ()


def compare_runs(
    baseline: Results,
    run: Results,
    comparing: Comparing,
    change: Change | None = None,
    *,
    by: Results | None = None,
) -> TwoRuns:
    """`change` None: found from what differs. What `run`, or a run made for it (`by`), confirmed against this
    baseline counts as confirmed.

    Raises RequestError where there is no common cell.
    """
    declared = change or found_change(baseline, run)
    matched = match(baseline, run, declared)
    if not matched.pairs:
        raise RequestError(
            f"no common cell: {run.run_id} and {baseline.run_id} share no device with the same "
            "model, variant and build",
            hint=f"farm runs show {baseline.run_id}   (--change build, model or variant pairs cells whose "
            "names differ in that)",
        )
    confirmed = dict(_confirmed(baseline, run, comparing))
    confirmed |= _confirmed(baseline, by, comparing) if by else {}
    compared = (
        confirmed.get(after.id) or _compared(Side(baseline, before), Side(run, after), declared, comparing)
        for before, after in matched.pairs
    )
    return TwoRuns(
        baseline.run_id,
        run.run_id,
        declared,
        comparing,
        tuple(compared),
        matched.without_baseline,
        matched.not_in_run,
    )


def earlier(baseline: Results, cell: CellResult, name: str) -> Earlier:
    """What `baseline` has of one of its cells, for a run that has it under the id `name`."""
    known = fingerprint(Side(baseline, cell))
    return Earlier(name, baseline.run_id, values_ms(cell).values, tuple(known.items()))


def _confirmed(baseline: Results, run: Results, comparing: Comparing) -> Mapping[str, Comparison]:
    """By the candidate's id: what the run measured of this baseline in one lease."""
    if all(duel.since != baseline.run_id for duel in run.duels):
        return {}
    return {
        one.candidate: one
        for one in comparisons(replace(run, comparing=comparing))
        if one.baseline_run == baseline.run_id and not one.is_canary and one.confirm is not None
    }


def _compared(before: Side, after: Side, change: Change, comparing: Comparing) -> Comparison:
    apart = differences(fingerprint(before), fingerprint(after), change)
    ones, others = values_ms(before.cell), values_ms(after.cell)
    dropped = Counter(ones.dropped) + Counter(others.dropped)
    refusal = _refusal(before, after, apart) or _too_few(ones.values, others.values, dropped)
    effect = None if refusal else unpaired(ones.values, others.values)
    verdict, reason = _verdict(effect, comparing) if effect else (Verdict.INVALID, refusal or "")
    is_open = effect is not None and verdict is Verdict.INCONCLUSIVE
    made = Comparison(
        device=after.cell.device,
        baseline=before.cell.id,
        candidate=after.cell.id,
        change=change,
        verdict=verdict,
        sentence="",
        baseline_run=before.results.run_id,
        screen=effect,
        pairs_wanted=pairs_wanted(effect, comparing.minimum_effect) if is_open and effect else None,
        pairs_dropped=dropped.total(),
        differences=apart.all,
        baseline_ms=statistics.median(ones.values) if ones.values else None,
        candidate_ms=statistics.median(others.values) if others.values else None,
        notes=(TWO_NIGHTS, *((_told(dropped),) if dropped else ())),
    )
    names = (f"run {before.results.run_id}", f"run {after.results.run_id}")
    return replace(made, sentence=sentence(made, names, comparing, reason))


def _too_few(ones: Sequence[float], others: Sequence[float], dropped: Counter[str]) -> str | None:
    total = len(ones) + len(others) + dropped.total()
    if not ones or not others or dropped.total() > MOST_DROPPED * total:
        return _told(dropped) if dropped else "no round counts"
    return None


def _verdict(effect: Effect, comparing: Comparing) -> tuple[Verdict, str]:
    if effect.n < FEWEST_PAIRS:
        return Verdict.INCONCLUSIVE, f"{FEWEST_PAIRS} rounds a side are needed"
    if screen_settles(effect, comparing.minimum_effect):
        return Verdict.UNCHANGED, ""
    return Verdict.INCONCLUSIVE, "confirm it with fresh pairs: farm compare --confirm"


def _refusal(before: Side, after: Side, apart: Differences) -> str | None:
    for side in (before, after):
        if why := trouble(side.cell) or _wrong(side):
            return f"{why} (run {side.results.run_id})"
    return f"they differ in {'; '.join(apart.blocking)}" if apart.blocking else None


def _wrong(side: Side) -> str | None:
    """A wrong result has no speed."""
    wrong = side.results.wrong.get(side.cell.id)
    return None if wrong is None else f"the outputs of {wrong.cell} are wrong: {wrong.sentence}"


def _told(dropped: Counter[str]) -> str:
    reasons = ", ".join(f"{number} {why}" for why, number in sorted(dropped.items()))
    return f"rounds that do not count: {reasons}"
