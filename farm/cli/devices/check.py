"""`farm devices check`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.terminal.console import say, show_json
from farm.cli.terminal.loop import run
from farm.errors import ExitCode, RequestError
from farm.inventory import read_devices
from farm.model.device import ALL_DEVICES, Device, Inventory
from farm.model.limits.deadlines import Deadlines
from farm.plan.builds import builds_beside
from farm.run.devices.check import Beside, Checked, check_devices
from farm.run.devices.past import slower_devices
from farm.run.health.nouns import Severity
from farm.run.health.rules import worst
from farm.store.notes.quarantine import released

if TYPE_CHECKING:
    from farm.cli.devices.watch import Watch

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm devices check\n\n  farm devices check 'arm-*' --strict\n\n"
    "  farm devices check --watch --every 60"
}
EVERY_S = 30.0


def command(
    devices: args.Selector = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 3 for warnings, too.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again and again, until Ctrl-C; show what changed.")
    ] = False,
    every: Annotated[
        float | None,
        typer.Option(
            help="With --watch: seconds between two looks at a device. Default: 30.",
            metavar="S",
            min=1,
            max=86_400,
        ),
    ] = None,
    inventory: args.Inventory = None,
    runs_dir: args.RunsDir = Path("runs"),
    deadline: args.Deadline = None,
    json: args.Json = False,
) -> None:
    """Connect, start the agent, probe, show who holds the lease, what is wrong and what to do about it.

    Takes no lease, runs no model. A device that a nightly has put into quarantine is released when it passes.
    """
    if every is not None and not watch:
        raise RequestError("--every says how often --watch looks", hint="add --watch, or leave --every out")
    deadlines = with_deadlines(Deadlines(), deadline or ())
    loaded, chosen = read_devices(inventory, devices or ALL_DEVICES)
    if watch:
        from farm.cli.devices.watch import Watch

        shown = Watch(chosen, runs_dir, json=json)
        run(_watched(loaded, chosen, Beside(runs_dir, deadlines=deadlines), shown, every or EVERY_S))
        return
    checked = run(_looked_at(loaded, chosen, Beside(runs_dir, deadlines=deadlines)))
    if json:
        show_json(checked)
    else:
        from farm.cli.devices.checked import show  # tables take longer to import than a device to answer

        show(checked)
    for name in released(runs_dir, [one.device for one in checked if not one.error]):
        say(f"{name}: released from quarantine")
    gravest = {worst(one.findings) for one in checked}
    if gravest & {Severity.ERROR, *((Severity.WARNING,) if strict else ())}:
        raise typer.Exit(ExitCode.CELLS_FAILED)


async def _looked_at(loaded: Inventory, chosen: Sequence[Device], beside: Beside) -> tuple[Checked, ...]:
    return await check_devices(chosen, loaded.known_hosts, await _beside(loaded, chosen, beside))


async def _watched(
    loaded: Inventory, chosen: Sequence[Device], beside: Beside, watch: Watch, every_s: float
) -> None:
    """Until it is cancelled. What the database knows is read once: it changes with runs only."""
    from farm.run.devices.watch import watch_devices

    known = await _beside(loaded, chosen, beside)
    with watch.shown():
        await watch_devices(chosen, loaded.known_hosts, known, every_s, watch.seen)


async def _beside(loaded: Inventory, chosen: Sequence[Device], beside: Beside) -> Beside:
    """With what this machine knows of the devices."""
    names = [device.name for device in chosen]
    slower = await slower_devices(
        beside.runs_dir or Path("runs"), names, beside.deadlines, lambda text: say(text, "yellow")
    )
    has_builds = await asyncio.to_thread(builds_beside, loaded) is not None
    return replace(beside, slower=slower, has_builds=has_builds)
