"""`farm sim up`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.sim.arguments import LabDeadlines, LabFile
from farm.cli.sim.live import Display
from farm.cli.sim.telling import COLUMNS, as_json, rows, say_missed
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.loop import run
from farm.cli.terminal.tables import simple_table
from farm.files import user_path
from farm.inventory.files import absolute
from farm.inventory.values.sampling import budget_s_of
from farm.model.limits.deadlines import Deadlines
from farm.sim.fleet import Fleet
from farm.sim.lab.reader import Lab, load
from farm.sim.lab.running import running
from farm.sim.lab.watch import look
from farm.sim.lab.written import Published
from farm.sim.threads import whole

LOOK_S = 0.5

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm sim up lab.yaml\n\n"
    "  farm sim up lab.yaml --output try/inventory.yaml --for 10m\n\n"
    "  farm bench --inventory lab.inventory.yaml --model bundled:tiny     # meanwhile, in another terminal",
}


def command(
    lab: LabFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Where the inventory is written. Default: the lab's name with .inventory.yaml, in the "
            "current folder.",
            metavar="FILE",
        ),
    ] = None,
    lasts: Annotated[
        str | None, typer.Option("--for", help="End after so long: 60s, 10m. Default: never.", metavar="TIME")
    ] = None,
    deadline: LabDeadlines = None,
    json: args.Json = False,
) -> None:
    """Start the devices of a lab file, write their inventory, and run until Ctrl-C.

    The keys of the devices are written into known_hosts beside the inventory. Nothing of it stays.
    """
    deadlines = with_deadlines(Deadlines(), deadline or ())
    lasts_s = budget_s_of(lasts) if lasts is not None else float("inf")
    loaded = load(lab)
    path = absolute(user_path(str(output or f"{lab.stem}.inventory.yaml")))
    run(_up(loaded, path, deadlines, lasts_s, is_json=json))


async def _up(lab: Lab, output: Path, deadlines: Deadlines, lasts_s: float, *, is_json: bool) -> None:
    say(f"starting {len(lab.devices)} simulated devices ...")
    async with contextlib.AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(running(lab, deadlines))
        host_keys = [device.known_hosts_line for device in fleet.devices.values()]
        stack.push_async_callback(asyncio.to_thread, say_missed, fleet)
        published = Published(output, fleet.inventory, host_keys)
        stack.push_async_callback(asyncio.to_thread, published.withdraw)
        await whole(published.publish)
        await asyncio.to_thread(_show, lab, fleet, published, is_json=is_json)
        await _watch(fleet, lasts_s)


def _show(lab: Lab, fleet: Fleet, published: Published, *, is_json: bool) -> None:
    """How to use it. Whoever waits for it in a pipe gets it at once."""
    if is_json:
        files = {"inventory": str(published.output), "known_hosts": str(published.known_hosts)}
        show_json({**files, "pid": os.getpid(), "devices": as_json(lab, fleet)})
    else:
        inventory = shlex.quote(_short(published.output))
        out.print(simple_table(COLUMNS, [*rows(lab, fleet)]))
        out.print()
        out.print(plain(f"inventory: {_short(published.output)}, until Ctrl-C. In another terminal:"))
        out.print(plain(f"  farm devices check --inventory {inventory}"))
        out.print(plain(f"  farm bench --inventory {inventory} --model bundled:tiny"))
    sys.stdout.flush()


async def _watch(fleet: Fleet, lasts_s: float) -> None:
    """Show what happens, until the time is over."""
    until = time.monotonic() + lasts_s
    with Display(fleet.devices) as display:
        try:
            while (left_s := until - time.monotonic()) > 0:
                await asyncio.sleep(min(LOOK_S, left_s))
                display.update(await asyncio.to_thread(look, fleet.devices))
        finally:  # what happened since the last look
            display.update(await asyncio.to_thread(look, fleet.devices))


def _short(path: Path) -> str:
    """Relative where it is below the current folder."""
    here = absolute(Path())
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
