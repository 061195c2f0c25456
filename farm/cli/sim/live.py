"""What happens on the devices of a lab: a live table on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.live import Live
from rich.table import Table

from farm.cli.terminal.console import err, plain, say
from farm.cli.terminal.streams import is_narrow
from farm.sim.lab.watch import Seen
from farm.visible import visible

LINE_EVERY_S = 10.0
REFRESH_PER_S = 2
MOST_ROWS = 40


class Display:
    """`with Display(names) as display`, and `display.update(seen)` as often as somebody has looked."""

    def __init__(self, devices: Mapping[str, object]) -> None:
        self._seen = dict.fromkeys(devices, Seen())
        self._printed_at = dict.fromkeys(devices, float("-inf"))
        self._began = time.monotonic()
        self._is_live = err.is_terminal and not is_narrow()
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
        if self._is_live:
            self._is_live = False
            self._live.stop()

    def update(self, seen: Mapping[str, Seen]) -> None:
        """Show what is new: each fault, and runs and connections at most every LINE_EVERY_S in a log."""
        for name, now in seen.items():
            before = self._seen[name]
            for fault in now.faults[len(before.faults) :]:
                err.print(plain(f"{name}: {fault}", "yellow"))
            if self._is_live or now == before:
                self._seen[name] = now
            elif time.monotonic() - self._printed_at[name] >= LINE_EVERY_S or now.runs == 0:
                self._printed_at[name] = time.monotonic()
                say(f"{name}: {_words(now)}")
                self._seen[name] = now
            else:  # told later, with what comes until then
                self._seen[name] = Seen(before.connections, before.runs, now.faults)

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 1), expand=False)
        table.add_column(f"{time.monotonic() - self._began:4.0f} s", no_wrap=True, max_width=30)
        table.add_column("connections", justify="right")
        table.add_column("runs", justify="right")
        table.add_column("last fault", overflow="ellipsis", no_wrap=True)
        for name, one in [*self._seen.items()][:MOST_ROWS]:
            last = one.faults[-1] if one.faults else ""
            table.add_row(visible(name), str(one.connections), str(one.runs), plain(last, "yellow"))
        if len(self._seen) > MOST_ROWS:
            table.add_row(f"and {len(self._seen) - MOST_ROWS} more", "", "", "")
        return table


def _words(seen: Seen) -> str:
    connections = "1 connection" if seen.connections == 1 else f"{seen.connections} connections"
    return f"{connections}, {seen.runs} runs"
