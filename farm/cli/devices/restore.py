"""`farm devices restore`: a quarantine ends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.terminal.console import out, plain
from farm.store.notes.quarantine import restore

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm devices restore arm-3"}


def command(
    devices: Annotated[list[str], typer.Argument(help="Names of devices.", metavar="DEVICE...")],
    *,
    runs_dir: args.RunsDir = Path("runs"),
) -> None:
    """End the quarantine of devices: plans have them again."""
    for device in devices:
        restore(runs_dir, device)
        out.print(plain(f"{device} is in plans again"))
