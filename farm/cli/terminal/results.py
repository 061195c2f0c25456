"""The table of a run: what its cells gave."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from farm.cli.terminal.tables import Row, matrix
from farm.model.run import CellResult, CellStatus, Results
from farm.report.numerals import decimals_for, in_ms
from farm.report.parts.cell import quality_warning

MOST_DOUBTS = 10

_STYLES = {
    CellStatus.COMPLETED: "",
    CellStatus.FAILED: "red",
    CellStatus.SKIPPED: "dim",
    CellStatus.CANCELLED: "yellow",
}


def results_table(results: Results) -> RenderableType:
    """Device x model rows, variants and their builds as columns: median of rounds in ms and their range."""
    variants = results.columns
    cells = {(cell.device, cell.model, cell.column): cell for cell in results.cells}
    rows: list[Row] = []
    for model in results.models:
        times = [c.summary.median_ms for c in results.cells if c.model == model.name and c.summary]
        decimals = decimals_for(times)
        for device in results.devices:
            found = (cells.get((device.name, model.name, variant)) for variant in variants)
            rows.append((device.name, model.name, [_cell(cell, decimals) for cell in found]))
    return matrix("median of rounds in ms (range over rounds)", variants, rows)


def doubts_of(results: Results) -> Iterator[str]:
    """Cells whose number is of rounds that were not all sound: what the table cannot show."""
    doubtful = [(cell.id, told) for cell in results.cells if cell.summary and (told := quality_warning(cell))]
    yield from (f"{name}: {told}" for name, told in doubtful[:MOST_DOUBTS])
    if len(doubtful) > MOST_DOUBTS:
        yield f"and {len(doubtful) - MOST_DOUBTS} more cells with such rounds; the report has them"


def _cell(cell: CellResult | None, decimals: int) -> Text:
    if cell is None:
        return Text("-")
    if cell.summary is not None:
        text = Text(in_ms(cell.summary.median_ms, decimals), style=_STYLES[cell.status])
        if cell.summary.rounds > 1:
            text.append(f" ({in_ms(cell.summary.spread_ms, decimals)})", style="dim")
        return text if cell.status is CellStatus.COMPLETED else text.append(f" {cell.status}")
    return Text(cell.status.value, style=_STYLES[cell.status])
