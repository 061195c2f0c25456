"""Asking devices what they are, and showing what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.loop import run
from farm.model.device import Device, Inventory
from farm.model.limits.deadlines import Deadlines
from farm.plan.builds import builds_beside
from farm.run.devices.check import Beside, Checked, check_through
from farm.run.devices.past import slower_devices
from farm.run.health.nouns import Severity
from farm.run.health.rules import worst
from farm.store.notes.quarantine import released
from farm.transport.base import Transports

if TYPE_CHECKING:
    from farm.cli.devices.checking.watch import Watch

Devices = tuple[Inventory, Sequence[Device]]
"""An inventory, and those of its devices that are meant."""


async def looked_at(
    devices: Devices, transports: Transports, runs_dir: Path, deadlines: Deadlines
) -> tuple[Checked, ...]:
    """Look once, at all of them at once."""
    return await check_through(transports, devices[1], await _beside(devices, runs_dir, deadlines))


def say(text: str, style: str = "") -> None:
    """See `console.say`."""
    from farm.cli.terminal import console  # it takes as long to import as a device takes to answer

    console.say(text, style)


def show(checked: Sequence[Checked], runs_dir: Path, *, json: bool) -> set[Severity]:
    """Show it; the gravest finding of each device. Those that pass leave their quarantine."""
    if json:
        show_json(checked)
    else:
        from farm.cli.devices.checking import table

        table.show(checked)
    for name in released(runs_dir, [one.device for one in checked if not one.error]):
        say(f"{name}: released from quarantine")
    return {gravest for one in checked if (gravest := worst(one.findings))}


def watch(devices: Devices, runs_dir: Path, deadlines: Deadlines, every_s: float, *, json: bool) -> None:
    """Look again and again, until it is interrupted."""
    from farm.cli.devices.checking.watch import Watch

    run(_watched(devices, runs_dir, deadlines, every_s, Watch(devices[1], runs_dir, json=json)))


async def _watched(
    devices: Devices, runs_dir: Path, deadlines: Deadlines, every_s: float, shown: Watch
) -> None:
    """What the database knows is read once: it changes with runs only."""
    from farm.run.devices.watch import watch_devices

    loaded, chosen = devices
    known = await _beside(devices, runs_dir, deadlines)
    with shown.shown():
        await watch_devices(chosen, loaded.known_hosts, known, every_s, shown.seen)


async def _beside(devices: Devices, runs_dir: Path, deadlines: Deadlines) -> Beside:
    """What this machine knows of the devices."""
    loaded, chosen = devices
    names = [device.name for device in chosen]
    slower = await slower_devices(runs_dir, names, deadlines, lambda text: say(text, "yellow"))
    has_builds = await asyncio.to_thread(builds_beside, loaded) is not None
    return Beside(runs_dir, slower, has_builds, deadlines)
