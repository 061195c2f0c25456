"""Tables: what a plan will do, and plain listings."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from farm.cli.terminal.console import plain
from farm.model.matrix import Plan
from farm.visible import visible


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
