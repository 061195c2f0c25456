"""How the times of iterations are distributed: of a cell, beside what it was compared with."""

from __future__ import annotations

from farm.analysis.steady import steady
from farm.model.comparison import Comparison
from farm.model.run import CellResult, Results
from farm.report.demand import Found, OnDemand
from farm.report.figures.distribution import distribution
from farm.report.parts.cell import counted
from farm.report.sections import More

MOST_ITERATIONS = 100_000
"""Of a cell: of one with more, every second one is taken, or every third, and so on."""


def distributions(results: Results) -> More:
    """The section `distribution` of each cell with times: those of its steady iterations in the rounds that
    its number is of. The other side is the baseline of its first comparison, where this run measured it.
    """
    cells = {cell.id: cell for cell in results.cells}
    first: dict[str, Comparison] = {}
    for one in results.comparisons:
        if not one.is_canary and one.baseline != one.candidate:
            first.setdefault(one.candidate, one)

    def make(cell: str) -> Found | None:
        ours = iterations_ms(cells[cell])
        if len(ours) < 2:
            return None
        compared = first.get(cell)
        before = cells.get(compared.baseline) if compared else None
        theirs = iterations_ms(before) if before else []
        sides = [(_short(before), theirs)] if before and len(theirs) > 1 else []
        figure = distribution([*sides, (_short(cells[cell]), ours)], title="Times of iterations")
        return {"distribution": figure} if figure else None

    return More(cells=OnDemand(list(cells), make))


def iterations_ms(cell: CellResult) -> list[float]:
    """Of the steady part of each round that counts."""
    times = [time for one in counted(cell) for time in one.e2e_ms[steady(one.e2e_ms)[0]]]
    return times[:: -(-len(times) // MOST_ITERATIONS) or 1]


def _short(cell: CellResult | None) -> str:
    return cell.column if cell else ""
