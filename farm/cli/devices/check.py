"""`farm devices check`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer

from farm.cli import arguments as args
from farm.cli.terminal.console import out, say, show_json
from farm.cli.terminal.loop import run
from farm.cli.terminal.tables import simple_table
from farm.errors import ExitCode
from farm.inventory import read_devices
from farm.model.request import ALL_DEVICES
from farm.run.check import Checked, check_devices

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm devices check\n\n  farm devices check 'arm-*'"}


def command(devices: args.Selector = None, inventory: args.Inventory = None, json: args.Json = False) -> None:
    """Connect, start the agent, probe, and show who holds the lease. Takes no lease, runs no model."""
    loaded, chosen = read_devices(inventory, devices or ALL_DEVICES)
    checked = run(check_devices(chosen, loaded.known_hosts))
    if json:
        show_json([asdict(one) for one in checked])
    else:
        out.print(
            simple_table(("device", "state", "holder", "system", "cpu"), [_row(one) for one in checked])
        )
        for one in checked:
            if one.error:
                say(f"{one.device}: {one.stage}: {one.error}", "red")
                if one.hint:
                    say(f"  try: {one.hint}")
    if any(one.error for one in checked):
        raise typer.Exit(ExitCode.CELLS_FAILED)


def _row(one: Checked) -> tuple[str, ...]:
    facts = one.facts
    if facts is None:
        return (one.device, "failed", "", "", "")
    system = " ".join(filter(None, (facts.os_name, facts.architecture)))
    cores = f"{len(facts.core_ids)}x " if facts.core_ids else ""
    return (one.device, "ok", one.holder or "free", system, f"{cores}{facts.cpu_model or '?'}")
