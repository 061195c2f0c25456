"""Progress of every device while a bench runs: a live table on a terminal, plain lines in a log."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.live import Live
from rich.table import Table
from rich.text import Text

from farm.cli.terminal.console import err, plain
from farm.cli.terminal.streams import is_narrow
from farm.model.matrix import Plan
from farm.run.events import Event, Kind
from farm.visible import visible

BAR_CELLS = 12
REFRESH_PER_S = 4
LINE_EVERY_S = 10.0
_NUMBERS = re.compile(r"(?<![\w=/.-])[0-9]+(?![\w=/.-])")
"""That stand alone: `resnet18` and `resnet50` are two names."""


@dataclass
class _Row:
    text: str = "waiting"
    style: str = ""
    done: int = 0
    total: int | None = None
    left: str = ""
    printed_at: float = float("-inf")
    told: dict[str, float] = field(default_factory=dict)
    """When a step was printed last, by its text without its numbers."""


class Display:
    """`with Display(plan) as display` and feed it events."""

    def __init__(self, plan: Plan) -> None:
        self._rows = {device.name: _Row() for device in plan.devices}
        self._began = time.monotonic()
        self._is_live = err.is_terminal and not is_narrow()
        self._bar = "#" if err.options.ascii_only else "━"
        self._live = Live(
            get_renderable=self._table, console=err, refresh_per_second=REFRESH_PER_S, transient=True
        )

    def __enter__(self) -> Self:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_live:  # a terminal that was closed meanwhile is none any more, but the display must end
            self._is_live = False
            self._live.stop()

    def on_event(self, event: Event) -> None:
        """Show one event of the run."""
        row = self._rows[event.device]
        if event.kind is Kind.NOTE:
            err.print(plain(f"{event.device}: {event.text}", "yellow"))
            return
        row.text = event.text
        row.style = {Kind.FAILED: "red", Kind.FINISHED: "green"}.get(event.kind, "")
        row.left = f"{event.left.text} left" if event.left is not None else ""
        if event.kind in (Kind.ROUND, Kind.FINISHED, Kind.TRANSFER):
            row.done, row.total = event.done, event.total
        if not self._is_live:
            self._line(event, row)

    def _line(self, event: Event, row: _Row) -> None:
        """In a log: every step, but rounds, transfers and steps that differ in their numbers only (`cooling
        54 -> 47 C`) at most every LINE_EVERY_S seconds.
        """
        now = time.monotonic()
        if event.kind in (Kind.ROUND, Kind.TRANSFER) and now - row.printed_at < LINE_EVERY_S:
            return
        if event.kind is Kind.STEP:
            words = _NUMBERS.sub("0", event.text)
            if now - row.told.get(words, float("-inf")) < LINE_EVERY_S:
                return
            row.told[words] = now
        row.printed_at = now
        err.print(plain(f"{event.device}: {event.text}{_fraction(event)}"))

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 1), expand=False)
        table.add_column(f"{time.monotonic() - self._began:4.0f} s", no_wrap=True, max_width=20)
        table.add_column("")
        table.add_column("rounds", justify="right")
        table.add_column("now", overflow="ellipsis", no_wrap=True)
        for name, row in self._rows.items():
            share = row.done / row.total if row.total else 0.0
            filled = round(share * BAR_CELLS)
            bar = Text(self._bar * filled, "green").append(self._bar * (BAR_CELLS - filled), "dim")
            count = f"{row.done}/{row.total}" if row.total and row.text != "pushing" else ""
            text = (
                f"pushing {row.done / 1e6:.0f}/{(row.total or 0) / 1e6:.0f} MB"
                if row.text == "pushing"
                else row.text
            )
            text = f"{text}, {row.left}" if row.left else text
            table.add_row(visible(name), bar, count, plain(text, row.style))
        return table


def _fraction(event: Event) -> str:
    if event.total is None or event.kind not in (Kind.ROUND, Kind.TRANSFER):
        return ""
    if event.kind is Kind.TRANSFER:
        return f" {event.done / 1e6:.1f} of {event.total / 1e6:.1f} MB"
    left = f", {event.left.text} left" if event.left is not None else ""
    return f" (round {event.done + 1} of {event.total}{left})"
