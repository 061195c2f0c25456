"""`farm devices quarantine`: devices that are left out for some time."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.errors import RequestError
from farm.inventory import read_devices
from farm.store.notes.quarantine import in_quarantine, put

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm devices quarantine\n\n"
    "  farm devices quarantine 'arm-3,arm-7' --why 'fan is loud' --days 14"
}


def command(
    devices: args.Selector = None,
    *,
    why: Annotated[str | None, typer.Option(help="The reason, for people.", metavar="TEXT")] = None,
    days: Annotated[float, typer.Option(help="For how many days.", metavar="N", min=0.01, max=3650)] = 7.0,
    inventory: args.Inventory = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Leave devices out of plans for some time, with a reason; without devices, list those that are.

    `farm devices restore` ends it. What a nightly put there ends, too, when the device passes its check.
    """
    if devices is not None:
        if not math.isfinite(days):
            raise RequestError(f"--days {days} is no number of days", hint="--days 7")
        if not why:
            raise RequestError(
                "a quarantine needs a reason", hint=f"farm devices quarantine {devices} --why TEXT"
            )
        for device in read_devices(inventory, devices)[1]:
            put(runs_dir, device.name, why, days)
    found = list(in_quarantine(runs_dir).values())
    if json:
        show_json([asdict(one) for one in found])
    elif found:
        rows = [(one.device, one.until[:16].replace("T", " "), one.by, one.why) for one in found]
        out.print(simple_table(("device", "until (UTC)", "by", "why"), rows))
    else:
        out.print(plain("no device is in quarantine"))
