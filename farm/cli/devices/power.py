"""`farm devices power`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.loop import run
from farm.cli.typed import hint_line
from farm.device.former import own_name
from farm.errors import ExitCode, RequestError
from farm.inventory import read_devices
from farm.model.device import Device, PowerAction
from farm.model.limits.deadlines import Deadlines
from farm.run.devices.power import Switched, Switching, switch_devices

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm devices power arm-1 status\n\n  farm devices power arm-1 cycle\n\n"
    "  farm devices power 'arm-[1-4]' off --yes"
}
EXAMPLE = "power: {{{action}: [pdu, '{{name}}', {action}]}}"


def command(
    devices: Annotated[str, typer.Argument(help="A selector, as in --devices.", metavar="SELECTOR")],
    action: Annotated[PowerAction, typer.Argument(help="What to do.")],
    *,
    inventory: args.Inventory = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Also a device that does not answer, so that nobody knows who uses it."
        ),
    ] = False,
    deadline: args.Deadline = None,
    json: args.Json = False,
) -> None:
    """Switch devices by the commands of the inventory, which run on this machine.

    It holds the lease of a device meanwhile, and never switches one that somebody else holds. One that does
    not answer is switched off, or cycled, only with --yes.
    """
    deadlines = with_deadlines(Deadlines(), deadline or ())
    loaded, chosen = read_devices(inventory, devices)
    _require_hooks(chosen, action)
    switching = Switching(
        action,
        own_name(f"farm devices power {action}"),
        yes,
        deadlines,
        lambda device, text: say(f"{device}: {text}", "dim"),
    )
    switched = run(switch_devices(chosen, loaded.known_hosts, switching))
    if json:
        show_json([asdict(one) for one in switched])
    else:
        _show(switched)
    if any(one.error for one in switched):
        raise typer.Exit(ExitCode.CELLS_FAILED)


def _require_hooks(devices: Sequence[Device], action: PowerAction) -> None:
    """Raises RequestError where one has no command for it: nothing is done then."""
    for device in devices:
        known = device.power.actions if device.power else ()
        if action not in known:
            has = f"; it has {', '.join(known)}" if known else ""
            raise RequestError(
                f"the inventory has no power.{action} for {device.name}{has}",
                hint=f"{EXAMPLE.format(action=action)} of the device or its group (docs/inventory.md)",
                source=device.source,
            )


def _show(switched: Sequence[Switched]) -> None:
    for one in switched:
        for line in one.output.splitlines():
            out.print(plain(f"{one.device}: {line}"))
        if one.error:
            say(f"{one.device}: {one.error}", "red")
            say(hint_line(one.hint))
        else:
            say(f"{one.device}: power {one.action}: done", "green")
