"""`farm devices check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.apart import apart
from farm.cli.bench.deadline_options import with_deadlines
from farm.errors import ExitCode, RequestError
from farm.inventory import read_devices
from farm.model.device import ALL_DEVICES
from farm.model.limits.deadlines import Deadlines

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
            callback=args.finite,
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
    read = apart(lambda: read_devices(inventory, devices or ALL_DEVICES))
    from farm.cli.devices.checking import once  # meanwhile: asyncssh takes as long as an inventory

    chosen = read()
    if watch:
        from farm.cli.devices.checking import shown

        shown.watch(chosen, runs_dir, deadlines, every or EVERY_S, json=json)
        return
    gravest = once.check(chosen, runs_dir, deadlines, json=json)
    from farm.run.health.nouns import Severity  # it is there by now

    if gravest & {Severity.ERROR, *((Severity.WARNING,) if strict else ())}:
        raise typer.Exit(ExitCode.CELLS_FAILED)
