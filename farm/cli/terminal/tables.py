"""Tables of cells: of a plan, and of the results of a run."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from farm.cli.terminal.console import plain
from farm.model.matrix import Plan
from farm.model.run import CellResult, CellStatus, Results
from farm.report.numerals import decimals_for, in_ms
from farm.visible import visible

_STYLES = {
    CellStatus.COMPLETED: "",
    CellStatus.FAILED: "red",
    CellStatus.SKIPPED: "dim",
    CellStatus.CANCELLED: "yellow",
}


def results_table(results: Results) -> Group:
    """Device x model rows, variants as columns: median of rounds in ms and their range."""
    variants = [variant.name for variant in results.variants]
    cells = {(cell.device, cell.model, cell.variant): cell for cell in results.cells}
    table = Table(
        title="median of rounds in ms (range over rounds)", title_justify="left", title_style="bold"
    )
    table.add_column("device", overflow="fold")
    table.add_column("model", overflow="fold")
    for variant in variants:
        table.add_column(plain(variant), justify="right", overflow="fold")
    for model in results.models:
        times = [c.summary.median_ms for c in results.cells if c.model == model.name and c.summary]
        decimals = decimals_for(times)
        for device in results.devices:
            row = [_cell(cells.get((device.name, model.name, variant)), decimals) for variant in variants]
            table.add_row(visible(device.name), visible(model.name), *row)
    return Group(table)


def _cell(cell: CellResult | None, decimals: int) -> Text:
    if cell is None:
        return Text("-")
    if cell.summary is not None:
        text = Text(in_ms(cell.summary.median_ms, decimals), style=_STYLES[cell.status])
        if cell.summary.rounds > 1:
            text.append(f" ({in_ms(cell.summary.spread_ms, decimals)})", style="dim")
        return text if cell.status is CellStatus.COMPLETED else text.append(f" {cell.status}")
    return Text(cell.status.value, style=_STYLES[cell.status])


def plan_table(plan: Plan) -> Table:
    """What will run: a row per device and model, the number of rounds per variant."""
    table = Table(title=f"{len(plan.cells)} cells, {plan.rounds} timed rounds each", title_justify="left",
                  title_style="bold")  # fmt: skip
    table.add_column("device", overflow="fold")
    table.add_column("model", overflow="fold")
    for variant in plan.variants:
        table.add_column(plain(variant.name), justify="right", overflow="fold")
    rounds = {(c.device.name, c.model.name, c.variant.name): str(len(c.rounds)) for c in plan.cells}
    for device in plan.devices:
        for model in plan.models:
            row = [rounds.get((device.name, model.name, one.name), "skip") for one in plan.variants]
            table.add_row(visible(device.name), visible(model.name), *row)
    return table


def simple_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A listing: no lines, cells folded rather than cut."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(visible(cell) for cell in row))
    return table
