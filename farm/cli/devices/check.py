"""`farm devices check`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from farm.cli import arguments as args
from farm.cli.terminal.console import out, say, show_json
from farm.cli.terminal.loop import run
from farm.cli.terminal.tables import simple_table
from farm.errors import ExitCode, Stage
from farm.inventory import read_devices
from farm.model.device import Facts
from farm.model.request import ALL_DEVICES
from farm.report.numerals import MISSING, by_core, in_bytes, in_memory
from farm.report.parts.environment import clusters_of, gpus_of, machine_of, power_of
from farm.run.devices.check import Checked, check_devices
from farm.store.notes.quarantine import released

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm devices check\n\n  farm devices check 'arm-*'"}


def command(
    devices: args.Selector = None,
    inventory: args.Inventory = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Connect, start the agent, probe, and show who holds the lease. Takes no lease, runs no model.

    A device that a nightly has put into quarantine is released when it passes.
    """
    loaded, chosen = read_devices(inventory, devices or ALL_DEVICES)
    checked = run(check_devices(chosen, loaded.known_hosts))
    if json:
        show_json([asdict(one) for one in checked])
    else:
        out.print(
            simple_table(("device", "state", "holder", "system", "cpu"), [_row(one) for one in checked])
        )
        if any(one.facts for one in checked):
            out.print()
            columns = ("device", "memory left", "disk left", "governor", "temperature", "power")
            out.print(simple_table(columns, [_state(one.device, one.facts) for one in checked if one.facts]))
            _show_machines(checked)
        for one in checked:
            for warning in one.warnings:
                say(f"{one.device}: {warning}", "yellow")
            if one.error:
                say(f"{one.device}: {one.stage}: {one.error}", "red")
                if one.hint:
                    say(f"  try: {one.hint}")
            for task in one.tasks:
                say(f"  mended by: farm devices provision {one.device} --task {task}{_who(one)}")
    for name in released(runs_dir, [one.device for one in checked if not one.error]):
        say(f"{name}: released from quarantine")
    if any(one.error for one in checked):
        raise typer.Exit(ExitCode.CELLS_FAILED)


def _who(one: Checked) -> str:
    """With a login that works, where the inventory's does not."""
    return " --as USER" if one.stage == Stage.CONNECT and "user" in one.tasks else ""


def _row(one: Checked) -> tuple[str, ...]:
    facts = one.facts
    if facts is None:
        return (one.device, "failed", "", "", "")
    system = " ".join(filter(None, (facts.os_name, facts.architecture)))
    cores = f"{len(facts.core_ids)}x " if facts.core_ids else ""
    return (one.device, "ok", one.holder or "free", system, f"{cores}{facts.cpu_model or '?'}")


def _state(device: str, facts: Facts) -> tuple[str, ...]:
    hottest = max(facts.temperatures_c, key=lambda zone: zone[1], default=None)
    return (
        device,
        _part(in_memory(facts.memory_available_bytes), in_memory(facts.memory_bytes)),
        _part(in_bytes(facts.disk_free_bytes), in_bytes(facts.disk_bytes)),
        by_core(facts.governors, str) or MISSING,
        f"{hottest[1]:.0f} °C ({hottest[0]})" if hottest else MISSING,
        power_of(facts) or MISSING,
    )


def _show_machines(checked: Sequence[Checked]) -> None:
    """What the devices are, where they say it."""
    rows = [
        (one.device, machine_of(one.facts), clusters_of(one.facts) or MISSING, gpus_of(one.facts) or MISSING)
        for one in checked
        if one.facts and (machine_of(one.facts) or clusters_of(one.facts) or one.facts.gpus)
    ]
    if rows:
        out.print()
        out.print(simple_table(("device", "machine", "kinds of cores", "GPU"), rows))


def _part(left: str, whole: str) -> str:
    return f"{left} of {whole}" if whole != MISSING else left
