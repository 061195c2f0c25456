"""The pages of cells of a large run, below `cells/`: made one at a time, so that memory stays small."""

from __future__ import annotations

from collections.abc import Iterator

from farm.model.run import Results
from farm.report.compose import is_large
from farm.report.numerals import MOST_DECIMALS, decimals_for
from farm.report.parts.cell import anchor, compose_cell, values_ms
from farm.report.parts.own import own
from farm.report.render import STYLE_SHEET, render_cell, style_of_cells
from farm.report.sections import More, together
from farm.visible import cleaned, visible


def pages(results: Results, more: More | None = None) -> Iterator[tuple[str, str]]:
    """File name and content of the page of each cell, and of the style sheet that they share; nothing where
    the report itself has their details.
    """
    if not is_large(results):
        return
    yield STYLE_SHEET, style_of_cells()
    found = together(own(results), more) if more else own(results)
    run_id = visible(results.run_id)
    for index, cell in enumerate(results.cells):
        decimals = min(decimals_for(values_ms(cell)) + 1, MOST_DECIMALS)
        detail = compose_cell(index, cleaned(cell), decimals, found.cells.get(cell.id))
        yield f"{anchor(index)}.html", render_cell(detail, run_id)
