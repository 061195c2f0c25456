"""In what a cell differs from what it was compared with, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from farm.compare.context import Contrast, Relation, context_of
from farm.compare.lookup import lookup
from farm.model.comparison import Comparison
from farm.model.run import Results
from farm.report.demand import Found, OnDemand
from farm.report.numerals import MISSING, count
from farm.report.parts.cell import anchors_of
from farm.report.sections import More
from farm.report.views.common import Status
from farm.report.views.context import Context, ContextRow, Contexts
from farm.visible import one_line, visible

MOST_COMPARISONS = 4
LONGEST_VALUE = 300

MARKS: Mapping[Relation, Status] = {
    Relation.IN_THE_WAY: Status("blocking", "\N{NOT EQUAL TO}", "must be the same"),
    Relation.COMPARED: Status("compared", "\N{RIGHTWARDS ARROW}", "this is compared"),
    Relation.HARMLESS: Status("harmless", "\N{ALMOST EQUAL TO}", "may differ"),
    Relation.UNKNOWN: Status("unknown", "?", "not known of both"),
}
"""In the order in which they are shown."""


def with_context(results: Results) -> frozenset[str]:
    """The anchors of the cells that have the section."""
    anchors, earlier = anchors_of(results), {one.cell for one in results.earlier}
    return frozenset(
        anchors[one.candidate]
        for one in results.comparisons
        if not one.is_canary
        and one.candidate in anchors
        and (one.baseline in anchors or one.baseline in earlier)
    )


def contexts(results: Results) -> More:
    """The section `context` of each cell that was compared with another one."""
    by_candidate: dict[str, list[Comparison]] = defaultdict(list)
    for one in results.comparisons:
        if not one.is_canary:
            by_candidate[one.candidate].append(one)
    found, anchors = lookup(results), anchors_of(results)

    def make(cell: str) -> Found | None:
        if cell not in anchors:
            return None
        compared = by_candidate[cell]
        told = ((one, context_of(results, found, one)) for one in compared[:MOST_COMPARISONS])
        shown = tuple(_context(one, facts, anchors) for one, facts in told if facts)
        left_out = max(len(compared) - MOST_COMPARISONS, 0)
        return {"context": Contexts(shown, left_out)} if shown else None

    return More(cells=OnDemand(list(by_candidate), make))


def _context(one: Comparison, facts: Sequence[Contrast], anchors: Mapping[str, str]) -> Context:
    baseline = visible(one.baseline)
    same = [fact.label for fact in facts if fact.relation is Relation.SAME]
    return Context(
        baseline=f"{baseline} of run {visible(one.baseline_run)}" if one.baseline_run else baseline,
        anchor=anchors.get(one.baseline),
        candidate=visible(one.candidate),
        rows=tuple(_row(fact) for kind in MARKS for fact in facts if fact.relation is kind),
        same=f"{count(len(same), 'fact')} the same on both sides: {', '.join(same)}" if same else "",
    )


def _row(fact: Contrast) -> ContextRow:
    before, after = (
        MISSING if text is None else one_line(text, LONGEST_VALUE) for text in (fact.baseline, fact.candidate)
    )
    return ContextRow(fact.label, before, after, MARKS[fact.relation])
