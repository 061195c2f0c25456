"""The pages of cells of a large run, below `cells/`: made one at a time, so that memory stays small."""

from __future__ import annotations

from collections.abc import Iterator

from farm.model.run import Results
from farm.report.compose import is_large
from farm.report.numerals import MOST_DECIMALS, decimals_for
from farm.report.parts.cell import anchor, compose_cell, values_ms
from farm.report.render import render_cell
from farm.report.sections import More
from farm.visible import cleaned, visible


def pages(results: Results, more: More | None = None) -> Iterator[tuple[str, str]]:
    """File name and HTML of the page of each cell; nothing where the report itself has their details."""
    if not is_large(results):
        return
    found = more or More()
    run_id = visible(results.run_id)
    for index, cell in enumerate(results.cells):
        decimals = min(decimals_for(values_ms(cell)) + 1, MOST_DECIMALS)
        detail = compose_cell(index, cleaned(cell), decimals, found.cells.get(cell.id))
        yield f"{anchor(index)}.html", render_cell(detail, run_id)
