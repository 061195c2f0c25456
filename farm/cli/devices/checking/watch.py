"""`farm devices check --watch`: what changed since the last look, and on a terminal a table."""

from __future__ import annotations

import asyncio
import contextlib
import json as json_
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.live import Live
from rich.table import Table

from farm.cli.devices.checking.findings import STYLES, Line, lines_of
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.streams import is_narrow
from farm.errors import FarmError
from farm.model.device import Device
from farm.run.devices.check import Checked
from farm.run.health.rules import worst
from farm.store.notes.quarantine import released
from farm.visible import visible

REFRESH_PER_S = 1


def changes(before: Checked | None, now: Checked) -> Iterator[Line]:
    """What is to be told of a look: all of the first one, then what is new and what is over. A finding whose
    numbers alone moved is neither.
    """
    name = now.device
    if before is None or _state(before) != _state(now):
        yield f"{name}: {_state(now)}", "" if now.error is None else "red"
    old = Counter(one.rule for one in before.findings) if before else Counter[str]()
    new = Counter(one.rule for one in now.findings)
    yield from lines_of(name, (one for one in now.findings if new[one.rule] != old[one.rule]))
    if before is not None:
        gone = (one for one in before.findings if one.rule not in new)
        yield from ((f"{name}: over ({one.rule}): {one.text}", "green") for one in gone)


def _state(one: Checked) -> str:
    if one.error is not None:
        return "it does not answer"
    return f"it answers, held by {one.holder}" if one.holder else "it answers, free"


class Watch:
    """`with Watch(...) as watch`, and tell it each look. `runs_dir`: where a device that passes leaves the
    quarantine of a nightly.
    """

    def __init__(self, devices: Sequence[Device], runs_dir: Path, *, json: bool) -> None:
        self._last: dict[str, Checked | None] = {device.name: None for device in devices}
        self._at: dict[str, float] = {}
        self._runs_dir = runs_dir
        self._json = json
        self._is_live = not json and out.is_terminal and not is_narrow()

    @contextlib.contextmanager
    def shown(self) -> Iterator[Callable[[Checked], object]]:
        """Shows the table, where there is a terminal for it."""
        if not self._is_live:
            yield self.seen
            return
        with Live(get_renderable=self._table, console=out, refresh_per_second=REFRESH_PER_S, transient=True):
            yield self.seen

    async def seen(self, now: Checked) -> None:
        """One look."""
        told = list(changes(self._last[now.device], now))
        self._last[now.device], self._at[now.device] = now, time.monotonic()
        if self._json:
            record = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(now)}
            print(json_.dumps(record, default=str), flush=True)  # noqa: T201 - rich would wrap it
        if now.error is None:
            told += await asyncio.to_thread(self._released, now.device)
        if not self._json:
            clock = datetime.now().astimezone().strftime("%H:%M:%S")
            for text, style in told:
                out.print(plain(text if text.startswith("  ") else f"{clock} {text}", style))

    def _released(self, device: str) -> list[Line]:
        try:
            return [(f"{name}: released from quarantine", "") for name in released(self._runs_dir, [device])]
        except FarmError as error:
            return [(f"{device}: {error}", "yellow")]

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in ("device", "state", "found", "looked at"):
            table.add_column(name, overflow="ellipsis", no_wrap=True)
        for name, one in self._last.items():
            if one is None:
                table.add_row(visible(name), plain("looking", "dim"), "", "")
                continue
            gravest = worst(one.findings)
            rules = ", ".join(dict.fromkeys(found.rule for found in one.findings))
            found = plain(rules or "nothing", STYLES[gravest] if gravest else "")
            ago = f"{time.monotonic() - self._at[name]:.0f} s ago"
            table.add_row(visible(name), plain(_state(one)), found, ago)
        return table
