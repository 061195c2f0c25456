"""`farm devices check`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.devices.findings import say_findings
from farm.cli.terminal.console import out, say, show_json
from farm.cli.terminal.loop import run
from farm.cli.terminal.tables import simple_table
from farm.errors import ExitCode, RequestError
from farm.inventory import read_devices
from farm.model.device import Device, Facts, Inventory
from farm.model.limits.deadlines import Deadlines
from farm.model.request import ALL_DEVICES
from farm.plan.builds import builds_beside
from farm.report.numerals import MISSING, by_core, in_bytes, in_memory
from farm.report.parts.environment import clusters_of, gpus_of, machine_of, power_of
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
    _show(checked, json=json)
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


def _show(checked: Sequence[Checked], *, json: bool) -> None:
    if json:
        show_json([asdict(one) for one in checked])
        return
    out.print(simple_table(("device", "state", "holder", "system", "cpu"), [_row(one) for one in checked]))
    if any(one.facts for one in checked):
        out.print()
        columns = ("device", "memory left", "disk left", "governor", "temperature", "power")
        out.print(simple_table(columns, [_state(one.device, one.facts) for one in checked if one.facts]))
        _show_machines(checked)
    for one in checked:
        say_findings(one.device, one.findings)


def _row(one: Checked) -> tuple[str, ...]:
    facts = one.facts
    if facts is None:
        return (one.device, "failed", "", "", "")
    system = " ".join(filter(None, (facts.os_name, facts.architecture)))
    cores = f"{len(facts.core_ids)}x " if facts.core_ids else ""
    state = "error" if worst(one.findings) is Severity.ERROR else "ok"
    return (one.device, state, one.holder or "free", system, f"{cores}{facts.cpu_model or '?'}")


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
