"""Tables: what a plan will do, and plain listings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from farm.cli.terminal.console import out, plain
from farm.cli.terminal.streams import WIDEST

if TYPE_CHECKING:
    from farm.model.matrix import Plan

Row = tuple[str, str, Sequence[Text]]
"""Device, model, and a value for each variant."""


def plan_table(plan: Plan) -> RenderableType:
    """What will run: a row per device and model, the number of rounds per variant; `-` where there is no such
    cell, as with the twin of a canary.
    """
    from farm.model.matrix import cell_id, column  # takes a tenth of a second to import

    rounds = {skip.id: "skip" for skip in plan.skips} | {
        cell.id: str(len(cell.rounds)) for cell in plan.cells
    }
    columns = [(variant.name, build.name) for variant in plan.variants for build in plan.builds]
    rows = [
        (
            device.name,
            model.name,
            [Text(rounds.get(cell_id(device.name, model.name, *one), "-")) for one in columns],
        )
        for device in plan.devices
        for model in plan.models
    ]
    names = [column(*one) for one in columns]
    return matrix(f"{len(plan.cells)} cells, {plan.rounds} timed rounds each", names, rows)


def matrix(title: str, variants: Sequence[str], rows: Sequence[Row]) -> RenderableType:
    """A row per device and model, variants as columns. Where the terminal is too narrow for that without
    breaking a name, a list per device and model instead: a line per variant.
    """
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("device", overflow="fold")
    table.add_column("model", overflow="fold")
    for variant in variants:
        table.add_column(plain(variant), justify="right", overflow="fold")
    for device, model, values in rows:
        table.add_row(plain(device), plain(model), *values)
    needed = Measurement.get(out, out.options.update(max_width=WIDEST), table).maximum
    return table if needed <= out.width else Text("\n").join(_listed(title, variants, rows))


def _listed(title: str, variants: Sequence[str], rows: Sequence[Row]) -> Iterator[Text]:
    names = [plain(variant) for variant in variants]
    name_cells = max((name.cell_len for name in names), default=0)
    value_cells = max((value.cell_len for *_, values in rows for value in values), default=0)
    yield Text(title, style="bold")
    for device, model, values in rows:
        yield plain(f"{device}  {model}", "bold")
        for name, value in zip(names, values, strict=True):
            gap = name_cells - name.cell_len + value_cells - value.cell_len + 2
            yield Text.assemble("  ", name, " " * gap, value)


def simple_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A listing: no lines, cells folded rather than cut, but for the name of a row, which is copied."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(plain, row))  # as text: a name may look like markup
    keep_whole(table, 0, 2)
    return table


def keep_whole(table: Table, column: int, part: int) -> None:
    """Do not fold the cells of a column unless they take more than a `part` of the width."""
    longest = max((cell_len(str(cell)) for cell in table.columns[column].cells), default=0)
    if longest * part <= out.width:
        table.columns[column].no_wrap = True
