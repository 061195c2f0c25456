"""What devices can resolve, from the A/A rounds of runs: pairs by device, model and session; a ranking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from farm.analysis.canary import is_out_of_bounds
from farm.analysis.sample_size import MOST_PAIRS, PILOT_PAIRS
from farm.analysis.stability import Pair, Stability, stability
from farm.compare.rounds import MOST_DROPPED, PairsOfRounds, pairs_of_rounds
from farm.model.comparison import Change, Duel, Phase
from farm.model.run import CellResult, Results, RoundResult

MOST_KEPT = 5000
"""Pairs of one model on one device that are looked at, the newest."""

MOST_MODELS = 50
"""Models of one device that are looked at, the newest: a file may name any number."""

COLDEST_C, HOTTEST_C = -60.0, 200.0
"""What a sensor says beyond is no temperature."""


class Fitness(StrEnum):
    """Whether a device can gate a release, the best first."""

    FIT = "fit"
    """So many pairs show the minimum effect."""
    NEEDS_MORE = "needs more"
    """It takes more pairs than that."""
    UNFIT = "not fit"
    UNKNOWN = "not known"
    """Too few A/A rounds, or none."""


RANKS = tuple(Fitness)


@dataclass(frozen=True)
class Question:
    """What is asked of a device: to show `minimum_effect` (a fraction) with so many pairs."""

    pairs: int = 30
    minimum_effect: float = 0.03


@dataclass(frozen=True)
class Session:
    """The A/A rounds of one model on one device in one run. `same` is what ran, as far as it is known."""

    device: str
    model: str
    variant: str
    same: tuple[str | None, ...]
    pairs: tuple[Pair, ...]
    dropped: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Answer:
    """What is known of one model on one device; fractions, but the noise: deviations of the logarithm.

    `smallest_effect`: what the pairs of the question show, where `with_minimum_effect` is asked for.
    `pairs_needed`: for the question's minimum effect; None where it is not known, or no number would do.
    `dropped` says how many pairs do not count for which reason.
    """

    model: str
    variant: str
    fitness: Fitness
    reason: str
    noise: Stability
    smallest_effect: float | None
    with_minimum_effect: float | None
    pairs_needed: int | None
    dropped: tuple[tuple[str, int], ...] = ()

    @property
    def rank(self) -> tuple[int, float]:
        """The less the better."""
        return RANKS.index(self.fitness), self.noise.pair or 0.0


@dataclass(frozen=True)
class Standing:
    """A device is as fit as the model of which that is known and that is worst; `answers` begin with it."""

    device: str
    fitness: Fitness
    answers: tuple[Answer, ...] = ()

    @property
    def rank(self) -> tuple[int, float]:
        return self.answers[0].rank if self.answers else (len(RANKS), 0.0)


def ranking(sessions: Iterable[Session], devices: Sequence[str], question: Question) -> tuple[Standing, ...]:
    """Every one of the devices, the fittest first. `sessions`, the newest first, may be of others, too."""
    found: dict[str, dict[tuple[str, str], list[Session]]] = {device: {} for device in devices}
    for session in sessions:
        models = found.get(session.device, {})
        key = (session.model, session.variant)
        if key in models or len(models) < MOST_MODELS:
            models.setdefault(key, []).append(session)
    standings = (_standing(device, models.values(), question) for device, models in found.items())
    return tuple(sorted(standings, key=lambda one: one.rank))


def _standing(device: str, models: Iterable[Sequence[Session]], question: Question) -> Standing:
    answers = [_answer(sessions, question) for sessions in models]
    known = sorted((one for one in answers if one.fitness is not Fitness.UNKNOWN), key=lambda one: one.rank)
    unknown = (one for one in answers if one.fitness is Fitness.UNKNOWN)
    fitness = known[-1].fitness if known else Fitness.UNKNOWN
    return Standing(device, fitness, (*reversed(known), *unknown))


def _answer(sessions: Sequence[Session], question: Question) -> Answer:
    """Of one model on one device."""
    kept: list[Session] = []
    for session in sessions:
        kept.append(session)
        if sum(len(one.pairs) for one in kept) >= MOST_KEPT:
            break
    noise = stability([one.pairs[:MOST_KEPT] for one in kept], [one.same for one in kept])
    dropped: Counter[str] = Counter()
    for session in kept:
        dropped.update(dict(session.dropped))
    needed = noise.pairs_for(question.minimum_effect)
    fitness, reason = _judged(noise, dropped, needed, question)
    return Answer(
        sessions[0].model,
        sessions[0].variant,
        fitness,
        reason,
        noise,
        noise.smallest_effect(question.pairs),
        noise.smallest_minimum(question.pairs),
        needed,
        tuple(sorted(dropped.items())),
    )


def _judged(
    noise: Stability, dropped: Counter[str], needed: int | None, question: Question
) -> tuple[Fitness, str]:
    lost = dropped.total()
    total = noise.pairs + lost
    reasons = ", ".join(f"{number} {why}" for why, number in sorted(dropped.items()))
    if total >= PILOT_PAIRS and lost > MOST_DROPPED * total:
        return Fitness.UNFIT, f"{lost} of {total} pairs do not count: {reasons}"
    if noise.pair is None or noise.pairs < PILOT_PAIRS:
        told = f"{noise.pairs} A/A pair{'' if noise.pairs == 1 else 's'}, {PILOT_PAIRS} are needed"
        return Fitness.UNKNOWN, f"{told} ({lost} do not count: {reasons})" if lost else told
    if is_out_of_bounds(noise.seem_changed, noise.sessions_judged):
        seen = f"{noise.seem_changed} of {noise.sessions_judged} sessions"
        return Fitness.UNFIT, f"the same bytes seem changed in {seen}, which is more than chance"
    if needed is None or needed > MOST_PAIRS:
        return Fitness.UNFIT, f"more than {MOST_PAIRS} pairs would be needed"
    if needed > question.pairs:
        return Fitness.NEEDS_MORE, f"needs {needed} pairs"
    return Fitness.FIT, f"{needed} pairs do"


# --------------------------------------------------------------------------- from the results of a run


def sessions_of(results: Results, devices: Collection[str]) -> Iterator[Session]:
    """The A/A rounds of a run on these devices: canaries, and duels of two cells that ran the same bytes.

    Each cell counts once: pairs that share a side would count the noise of its rounds twice. Never raises for
    what a file may hold.
    """
    cells = {cell.id: cell for cell in results.cells if cell.device in devices}
    taken: set[str] = set()
    for duel in results.duels:
        baseline, candidate = cells.get(duel.baseline), cells.get(duel.candidate)
        if baseline is None or candidate is None or taken & {duel.baseline, duel.candidate}:
            continue
        if baseline is not candidate and _is_of_the_same(duel, baseline, candidate):
            taken |= {duel.baseline, duel.candidate}
            yield _session(baseline, candidate)


def _is_of_the_same(duel: Duel, baseline: CellResult, candidate: CellResult) -> bool:
    """Whether a duel measures one thing twice: because it was planned so, or as all digests say."""
    if baseline.device != candidate.device or duel.since is not None:
        return False
    if duel.is_canary or duel.change is Change.NOTHING:
        return (baseline.model, baseline.variant) == (candidate.model, candidate.variant)
    digests = _digests(baseline)
    return all(digests) and digests == _digests(candidate)


def _digests(cell: CellResult) -> tuple[str | None, ...]:
    return (cell.runtime_digest, cell.model_sha256, cell.input_sha256, cell.options_sha256)


def _session(baseline: CellResult, candidate: CellResult) -> Session:
    phases = [pairs_of_rounds(baseline, candidate, phase) for phase in Phase]
    pairs = tuple(_pair(*rounds) for found in phases for rounds in found.good)
    return Session(
        baseline.device, baseline.model, baseline.variant, _digests(baseline), pairs, _dropped(phases)
    )


def _dropped(phases: Sequence[PairsOfRounds]) -> tuple[tuple[str, int], ...]:
    total: Counter[str] = Counter()
    for found in phases:
        total.update(dict(found.dropped))
    return tuple(sorted(total.items()))


def _pair(baseline: RoundResult, candidate: RoundResult) -> Pair:
    """In the order in which they began."""
    began = baseline.started_at, candidate.started_at
    is_swapped = began[0] is not None and began[1] is not None and began[1] < began[0]
    first, second = (candidate, baseline) if is_swapped else (baseline, candidate)
    return Pair(_ms(first), _ms(second), _hottest_c(first), _hottest_c(second), is_swapped)


def _ms(one: RoundResult) -> float:
    return one.value_ms or 0.0


def _hottest_c(one: RoundResult) -> float | None:
    """Where a round began; None where no sensor said it."""
    zones = one.telemetry.temperatures if one.telemetry else ()
    return max((zone.start_c for zone in zones if COLDEST_C <= zone.start_c <= HOTTEST_C), default=None)
