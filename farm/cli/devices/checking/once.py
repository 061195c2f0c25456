"""One look. What asks and shows is imported beside connections that are under way: that takes a tenth of a
second, and most of their time is waiting.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from farm.cli.terminal.loop import run
from farm.model.limits.deadlines import Deadlines
from farm.transport.base import Timeouts
from farm.transport.pool import open_transports

if TYPE_CHECKING:
    from farm.cli.devices.checking.shown import Devices
    from farm.run.devices.check import Checked
    from farm.run.health.nouns import Severity


def check(devices: Devices, runs_dir: Path, deadlines: Deadlines, *, json: bool) -> set[Severity]:
    """Look, and show it; the gravest finding of each device."""
    checked = run(_looked_at(devices, runs_dir, deadlines, json=json))
    gravest: set[Severity] = _shown(json=json).show(checked, runs_dir, json=json)
    return gravest


async def _looked_at(
    devices: Devices, runs_dir: Path, deadlines: Deadlines, *, json: bool
) -> tuple[Checked, ...]:
    loaded, chosen = devices
    timeouts = Timeouts.of(deadlines)
    async with open_transports(chosen, known_hosts=loaded.known_hosts, timeouts=timeouts) as transports:
        transports.connect_ahead()
        shown = await asyncio.to_thread(_shown, json=json)
        checked: tuple[Checked, ...] = await shown.looked_at(devices, transports, runs_dir, deadlines)
    return checked


def _shown(*, json: bool) -> ModuleType:
    from farm.cli.devices.checking import shown

    if not json:
        from farm.cli.devices.checking import table  # noqa: F401 - rich takes long, too
    return shown
