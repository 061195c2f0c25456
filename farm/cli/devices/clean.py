"""`farm devices clean`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.terminal.console import out, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.loop import run
from farm.cli.terminal.tables import simple_table
from farm.cli.typed import hint_line
from farm.device.former import own_name
from farm.errors import ExitCode, RequestError
from farm.inventory import read_devices
from farm.model.limits.deadlines import Deadlines
from farm.model.limits.disk import Portion, portion
from farm.report.numerals import in_bytes
from farm.run.devices.clean import Cleaned, Cleaning, clean_devices

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm devices clean 'arm-*'\n\n  farm devices clean 'arm-*' --yes\n\n"
    "  farm devices clean arm-1 --keep 25% --yes"
}
DIGEST_CHARS = 12
SMALL_BYTES = 100_000


def command(
    devices: Annotated[str, typer.Argument(help="A selector, as in --devices.", metavar="SELECTOR")],
    inventory: args.Inventory = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove it. Without: only show it.")] = False,
    keep: Annotated[
        str,
        typer.Option(
            help="How much of what was used last stays: a part of the disk, 25%, or a size, 200 MB.",
            metavar="SIZE",
        ),
    ] = "0",
    wait: Annotated[
        float,
        typer.Option(
            help="Seconds to wait for a device that is in use by a run.",
            metavar="S",
            min=0,
            callback=args.finite,
        ),
    ] = 0,
    deadline: args.Deadline = None,
    json: args.Json = False,
) -> None:
    """Show what farm keeps on devices and would remove; with --yes, remove it.

    Models, programs, inputs and caches that earlier runs pushed: a later run pushes them again. It holds the
    lease of a device meanwhile, and touches no device that somebody else holds.
    """
    loaded, chosen = read_devices(inventory, devices)
    cleaning = Cleaning(
        own_name("farm devices clean"),
        _portion(keep),
        yes,
        with_deadlines(Deadlines(lease_wait_s=wait), deadline or ()),
        lambda device, text: say(f"{device}: {text}"),
    )
    cleaned = run(clean_devices(chosen, loaded.known_hosts, cleaning))
    if json:
        show_json([asdict(one) for one in cleaned])
    else:
        _show(cleaned)
    if any(one.error for one in cleaned):
        raise typer.Exit(ExitCode.CELLS_FAILED)


def _portion(text: str) -> Portion:
    try:
        return portion(text)
    except ValueError as error:
        raise RequestError(f"--keep {error}", hint="--keep 25%   or   --keep '200 MB'") from error


def _show(cleaned: Sequence[Cleaned]) -> None:
    rows = [row for one in cleaned for row in _rows(one)]
    if rows:
        out.print(simple_table(("device", "file", "size", "sha256"), rows))
    for one in cleaned:
        if one.error:
            say(f"{one.device}: {one.stage}: {one.error}", "red")
            if one.hint:
                say(hint_line(one.hint))
        else:
            say(f"{one.device}: {_sentence(one)}")


def _rows(one: Cleaned) -> list[tuple[str, ...]]:
    """The largest files first, small ones in one row; trees take no room."""
    files = sorted(one.files, key=lambda file: -file.size_bytes)
    large = [file for file in files if file.size_bytes >= SMALL_BYTES]
    small = files[len(large) :]
    rows: list[tuple[str, ...]] = [
        (one.device, file.name or "-", in_bytes(file.size_bytes), file.path.rpartition("/")[2][:DIGEST_CHARS])
        for file in large
    ]
    if small:
        rows.append((one.device, f"{len(small)} small ones", in_bytes(sum(f.size_bytes for f in small)), ""))
    return rows


def _sentence(one: Cleaned) -> str:
    disk = f" of {in_bytes(one.disk_bytes)}" if one.disk_bytes is not None else ""
    if not one.gone:
        return f"nothing to remove; {in_bytes(one.free_bytes)}{disk} are free"
    if one.removed:
        return f"removed {in_bytes(one.freed_bytes)}; {in_bytes(one.left_bytes)}{disk} are free now"
    return (
        f"would remove {in_bytes(one.freed_bytes)} of {in_bytes(one.held_bytes)}; {in_bytes(one.free_bytes)}"
        f"{disk} are free. To do it: the same command with --yes"
    )
