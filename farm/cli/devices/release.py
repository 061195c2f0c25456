"""`farm devices release`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.loop import run
from farm.cli.typed import hint_line
from farm.errors import ExitCode
from farm.inventory import read_devices
from farm.model.limits.deadlines import Deadlines
from farm.run.devices.release import Released, release_devices
from farm.visible import visible

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm devices release 'arm-*'\n\n  farm devices release arm-1 --yes"
}


def command(
    devices: Annotated[str, typer.Argument(help="A selector, as in --devices.", metavar="SELECTOR")],
    inventory: args.Inventory = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Break the lease. Without: only show it.")] = False,
    deadline: args.Deadline = None,
    json: args.Json = False,
) -> None:
    """Show whose lease each device has; with --yes, break it.

    What runs on the device is killed, and settings that were changed are restored. The run that held it loses
    the device, with the name of who broke the lease as the reason; `farm runs resume` goes on with it.
    """
    deadlines = with_deadlines(Deadlines(), deadline or ())
    loaded, chosen = read_devices(inventory, devices)
    released = run(release_devices(chosen, loaded.known_hosts, deadlines, breaks=yes))
    if json:
        show_json([asdict(one) for one in released])
    else:
        for one in released:
            if one.error:
                say(f"{one.device}: {one.stage}: {one.error}", "red")
                say(hint_line(one.hint))
            else:
                out.print(plain(f"{one.device}: {_sentence(one)}"))
    if any(one.error for one in released):
        raise typer.Exit(ExitCode.CELLS_FAILED)


def _sentence(one: Released) -> str:
    if one.held is None:
        return "free; there is nothing to release"
    since = f"since {one.held.held_s} s, last seen {one.held.seen_s} s ago"
    whose = f"{visible(one.held.holder)} ({since})"
    if one.is_broken:
        return f"free; the lease of {whose} is broken"
    return f"held by {whose}. To break it: the same command with --yes"
