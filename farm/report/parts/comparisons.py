"""The comparisons of a run as the report shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from farm.compare.outcome import Canaries, Decision, canaries, counts, decision, ranked
from farm.compare.rounds import pairs
from farm.compare.words import SYMBOLS, change_of, interval, pairs_of
from farm.model.comparison import Comparing, Comparison, Effect, Phase, Verdict
from farm.model.run import CellResult, CellStatus, Results
from farm.report.figures.pairs import pairs_plot
from farm.report.figures.view import PairsPlot, Whisker
from farm.report.figures.whisker import whisker, whisker_end
from farm.report.numerals import MISSING, MOST_DECIMALS, count, decimals_for, in_ms
from farm.report.parts.cell import STATUSES, anchor
from farm.report.parts.details.contexts import with_context
from farm.report.views.common import Count, Status
from farm.report.views.comparisons import ComparisonRow, Comparisons

WORST = 5

MOST_ROWS = 200
"""Rows that are in the page itself: the first ones. Its table has all."""

DECISIONS = {
    Decision.GO: Status("go", Decision.GO, "no confirmed regression, and no more undecided than may be"),
    Decision.NO_GO: Status("no-go", Decision.NO_GO, "a confirmed regression or wrong outputs"),
    Decision.UNDECIDED: Status("undecided", Decision.UNDECIDED, "too much is undecided to say"),
}


def compose_comparisons(results: Results, whole: Results | None = None) -> Comparisons | None:
    """None for a run that compared nothing, and whose outputs are not known to be wrong.

    `whole` are the same results with all rounds, where `results` are without.
    """
    decided = decision(results)
    if not results.comparisons and decided is None:
        return None
    measured = (whole or results).cells
    numbers = {cell.id: (i, measured[i]) for i, cell in enumerate(results.cells)}
    order = ranked(results.comparisons)
    end = whisker_end((one.effect.ratio for one in order if one.effect), results.comparing.minimum_effect)
    contexted = with_context(whole or results)
    rows = tuple(_row(one, numbers, results.comparing, end, contexted) for one in order[:MOST_ROWS])
    seen = canaries(results.comparisons)
    return Comparisons(
        decision=DECISIONS[decided] if decided else None,
        counts=tuple(Count(_status(verdict), n) for verdict, n in counts(results.comparisons).items()),
        worst=tuple(row for row in rows if not row.is_hidden)[:WORST],
        rows=rows,
        hidden=sum(one.verdict is Verdict.UNCHANGED for one in order),
        canaries=_canaries(seen),
        is_doubtful=seen.is_out_of_bounds,
        minimum_effect=f"{100 * results.comparing.minimum_effect:g} %",
        total=len(order),
        coverage=_coverage(results, order),
        missing=_missing(results),
    )


def _canaries(seen: Canaries) -> str:
    """How often the run sees a change where there is none."""
    if not seen.total:
        return (
            "No canary cells (A/A) in this run: how often it sees a change where there is none is not known"
        )
    return f"{seen.changed} of {count(seen.total, 'canary cell')} (A/A) differed from themselves"


def _coverage(results: Results, order: Sequence[Comparison]) -> str:
    """`317 of 320 cells compared`; baselines and canaries need no comparison of their own."""
    compared = {one.candidate for one in order if one.effect is not None}
    sides = {one.baseline for one in results.comparisons if one.baseline_run is None}
    canaries = {one.candidate for one in results.comparisons if one.is_canary}
    wanted = {cell.id for cell in results.cells} - (sides - compared) - canaries
    return f"{len(compared & wanted):,} of {len(wanted):,} cells compared"


def _missing(results: Results) -> tuple[Count, ...]:
    """Cells without a number, by status."""
    ended = Counter(cell.status for cell in results.cells)
    return tuple(
        Count(STATUSES[status], ended[status])
        for status in CellStatus
        if status is not CellStatus.COMPLETED and ended[status]
    )


def _status(verdict: Verdict) -> Status:
    return Status(verdict.value, SYMBOLS[verdict], verdict.value)


def _row(
    one: Comparison,
    numbers: Mapping[str, tuple[int, CellResult]],
    comparing: Comparing,
    axis_end: float,
    contexted: Collection[str],
) -> ComparisonRow:
    """`axis_end`: where the axis of the whiskers ends; `contexted`: anchors of cells that show a context."""
    found = [numbers.get(name) for name in (one.baseline, one.candidate)]
    times = [value for value in (one.baseline_ms, one.candidate_ms) if value]
    decimals = min(decimals_for(times) + 1, MOST_DECIMALS)
    before, after = found
    return ComparisonRow(
        status=_status(one.verdict),
        device=one.device,
        what=one.candidate.removeprefix(f"{one.device}/"),
        baseline=f"run {one.baseline_run}"
        if one.baseline_run
        else one.baseline.removeprefix(f"{one.device}/"),
        candidate=one.candidate,
        links=(anchor(before[0]) if before else None, anchor(after[0]) if after else None),
        baseline_ms=in_ms(one.baseline_ms, decimals),
        candidate_ms=in_ms(one.candidate_ms, decimals),
        change=change_of(one.effect) if one.effect else MISSING,
        interval=(interval(one.effect) if one.effect else None) or MISSING,
        measured=pairs_of(one.effect, fresh=one.confirm is not None) if one.effect else MISSING,
        sentence=one.sentence,
        differences=one.differences,
        notes=one.notes,
        plot=_plot(one, before[1], after[1], comparing)
        if before and after and one.effect and one.effect.is_paired
        else None,
        is_hidden=one.verdict is Verdict.UNCHANGED,
        whisker=_whisker(one, one.effect, comparing, axis_end) if one.effect else None,
        has_context=after is not None and anchor(after[0]) in contexted,
    )


def _plot(one: Comparison, before: CellResult, after: CellResult, comparing: Comparing) -> PairsPlot | None:
    measured = pairs(before, after, Phase.CONFIRM if one.confirm else Phase.SCREEN)
    return pairs_plot(measured.baseline_ms, measured.candidate_ms, comparing.minimum_effect)


def _whisker(one: Comparison, effect: Effect, comparing: Comparing, axis_end: float) -> Whisker | None:
    return whisker(effect.ratio, (effect.low, effect.high), one.verdict, comparing.minimum_effect, axis_end)
