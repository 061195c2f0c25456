"""The comparisons of a run: what became of its duels. A pure function of the results."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from farm.analysis.effects import paired, unpaired
from farm.analysis.sample_size import pairs_wanted
from farm.analysis.verdicts import FEWEST_PAIRS, decide, false_discovery_rates, screen_settles
from farm.compare.drift import drift
from farm.compare.fingerprint import Differences, Side, differences, fingerprint
from farm.compare.lookup import NOT_CONFIRMED, Lookup, lookup
from farm.compare.rounds import Pairs, failed_round, pairs, timed, values_ms
from farm.compare.words import percent, sentence, sides
from farm.model.build import BASELINE
from farm.model.comparison import Comparing, Comparison, Duel, Earlier, Effect, Phase, Verdict
from farm.model.run import CellResult, CellStatus, Results

CUT_SHORT = "the fresh pairs that were to confirm it were cut short"


@dataclass(frozen=True)
class Bout:
    """What was measured of a duel. `refusal` says why it has no answer; `is_gone`: because the bytes of its
    baseline, of another run, are not there any more. `short` says why it was not confirmed.

    The screen of a duel with a baseline of another run is that run's values against this one's: no pairs.
    """

    duel: Duel
    names: tuple[str, str]
    differences: Differences = Differences()
    refusal: str | None = None
    is_gone: bool = False
    screen: Pairs = Pairs()
    confirm: Pairs = Pairs()
    screened: Effect | None = None
    confirmed: Effect | None = None
    short: str = NOT_CONFIRMED


def comparisons(results: Results) -> tuple[Comparison, ...]:
    """One for each duel, in their order. Never raises for what a file may hold.

    Only fresh pairs decide `faster` and `slower`, at the false discovery rate over all that were confirmed;
    canaries are judged by themselves, each at its own p, so that their false changes can be counted.
    """
    found = lookup(results)
    bouts = [_bout(results, found, duel) for duel in results.duels]
    p_of = {
        i: one.confirmed.p
        for i, one in enumerate(bouts)
        if one.confirmed is not None and one.refusal is None and not one.duel.is_canary
    }
    q_of = dict(zip(p_of, false_discovery_rates(tuple(p_of.values())), strict=True)) if p_of else {}
    return tuple(_judged(one, results.comparing, q_of.get(i)) for i, one in enumerate(bouts))


def _bout(results: Results, found: Lookup, duel: Duel) -> Bout:
    baseline, candidate = found.cells.get(duel.baseline), found.cells.get(duel.candidate)
    before = found.earlier.get(duel.baseline)
    if baseline is None and before is not None and candidate is not None:
        baseline = replace(candidate, build=BASELINE, rounds=(), runtime_digest=None)  # not measured again
    if baseline is None or candidate is None:
        gone = duel.baseline if baseline is None else duel.candidate
        return Bout(duel, (duel.baseline, duel.candidate), refusal=f"this run has no cell {gone}")
    screen, confirm = (pairs(baseline, candidate, phase) for phase in (Phase.SCREEN, Phase.CONFIRM))
    known = {**fingerprint(Side(results, baseline))}
    if before is not None and not confirm.count:  # nothing of it was measured in this lease
        known |= dict(before.fingerprint)
    is_gone = duel.since is not None and baseline.status is CellStatus.SKIPPED
    bout = Bout(
        duel,
        sides(duel, baseline, candidate),
        differences(known, fingerprint(Side(results, candidate)), duel.change),
        screen=screen,
        confirm=confirm,
        screened=_two_nights(before, candidate) if before else _effect(screen),
        confirmed=_effect(confirm),
        is_gone=is_gone,
        short=(trouble(baseline) if is_gone else None) or found.why_short(duel),
    )
    return replace(bout, refusal=_refusal(found, bout, (baseline, candidate)))


def _effect(measured: Pairs) -> Effect | None:
    return paired(measured.baseline_ms, measured.candidate_ms) if measured.refusal is None else None


def _two_nights(before: Earlier, candidate: CellResult) -> Effect | None:
    now = values_ms(candidate, Phase.SCREEN).values
    effect = unpaired(before.values_ms, now)
    return effect if effect.n >= FEWEST_PAIRS else None


def _refusal(found: Lookup, bout: Bout, cells: Sequence[CellResult]) -> str | None:
    baseline, candidate = cells
    was_measured_before = bout.duel.baseline in found.earlier
    is_known = was_measured_before and not timed(baseline) and baseline.status is not CellStatus.FAILED
    if why := trouble(candidate) or (None if is_known else trouble(baseline)):
        return why
    if why := found.wrong.get(bout.duel.candidate) or found.wrong.get(bout.duel.baseline):
        return why
    if bout.differences.blocking:
        return f"they differ in {'; '.join(bout.differences.blocking)}"
    if bout.confirmed is not None:
        return None
    if bout.confirm.is_spoilt:
        return bout.confirm.refusal
    return None if was_measured_before else bout.screen.refusal


def trouble(cell: CellResult) -> str | None:
    """Why a cell has nothing to compare; None where it has rounds and none of them failed."""
    failed = failed_round(cell)
    if failed is not None:
        return f"{cell.id} failed: {failed.error or failed.cause or 'a round failed'}"
    if any(one.value_ms is not None for one in timed(cell)):
        return None
    why = cell.error or cell.reason
    if cell.status is CellStatus.COMPLETED:
        return f"{cell.id} has no times"
    return f"{cell.id} {'was ' if cell.status is not CellStatus.FAILED else ''}{cell.status}" + (
        f": {why}" if why else ""
    )


def _judged(bout: Bout, comparing: Comparing, q: float | None) -> Comparison:
    effect = bout.confirmed or bout.screened
    verdict, reason = _verdict(bout, comparing, q)
    is_open = verdict is Verdict.INCONCLUSIVE and effect is not None
    measured = bout.confirm if bout.confirmed else bout.screen
    made = Comparison(
        device=bout.duel.candidate.partition("/")[0],
        baseline=bout.duel.baseline,
        candidate=bout.duel.candidate,
        change=bout.duel.change,
        verdict=verdict,
        sentence="",
        baseline_run=bout.duel.since,
        screen=bout.screened,
        confirm=bout.confirmed,
        q=q,
        pairs_wanted=pairs_wanted(effect, comparing.minimum_effect) if is_open and effect else None,
        pairs_dropped=bout.screen.lost + bout.confirm.lost,
        differences=bout.differences.all,
        is_canary=bout.duel.is_canary,
        baseline_ms=statistics.median(measured.baseline_ms) if measured.count else None,
        candidate_ms=statistics.median(measured.candidate_ms) if measured.count else None,
        notes=_notes(bout, measured, comparing),
    )
    return replace(made, sentence=sentence(made, bout.names, comparing, reason))


def _verdict(bout: Bout, comparing: Comparing, q: float | None) -> tuple[Verdict, str]:
    """And why there is none, or no final one."""
    if bout.refusal is not None:
        return Verdict.INCONCLUSIVE if bout.is_gone else Verdict.INVALID, bout.refusal
    least = comparing.minimum_effect
    if bout.confirmed is not None:
        return decide(bout.confirmed, bout.confirmed.p if q is None else q, least), ""
    if bout.screened is None:  # the earlier run has too few rounds to look at
        return Verdict.INCONCLUSIVE, CUT_SHORT if bout.confirm.total else bout.short
    if bout.duel.is_canary:
        return decide(bout.screened, bout.screened.p, least), ""
    if screen_settles(bout.screened, least) and not bout.confirm.total:
        return Verdict.UNCHANGED, ""
    return Verdict.INCONCLUSIVE, CUT_SHORT if bout.confirm.total else bout.short


def _notes(bout: Bout, measured: Pairs, comparing: Comparing) -> tuple[str, ...]:
    dropped = (one.told for one in (bout.screen, bout.confirm) if one.dropped)
    told = [one for one in dropped if one not in (bout.refusal or "")]
    moved = drift(measured.baseline_ms, comparing.minimum_effect)
    if moved is not None:
        told.append(
            f"the device drifted: {percent(moved)} over the {measured.count} pairs, which does not count"
        )
    return tuple(told)
