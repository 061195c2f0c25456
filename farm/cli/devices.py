"""`farm devices`: list, check and trust devices."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from farm.cli import arguments as args
from farm.cli.console import out, plain, say, show_json
from farm.cli.loop import run
from farm.cli.matrix import simple_table
from farm.cli.prepare import EVERYTHING, load_inventory
from farm.errors import DeviceError, ExitCode, RequestError
from farm.model.device import Device
from farm.pipeline.check import Checked, check_devices
from farm.pipeline.record import address_text
from farm.pipeline.select import select
from farm.transport.host_keys import fetch_host_keys
from farm.transport.known_hosts import record

app = typer.Typer(
    help="List devices, check that they can be used, and trust their host keys.", no_args_is_help=True
)

Which = Annotated[
    str | None, typer.Argument(help="A selector, as in --devices. Default: all.", metavar="SELECTOR")
]


@app.command("list", epilog="Examples:\n\n  farm devices list\n\n  farm devices list 'tag:cuda' --json")
def list_devices(devices: Which = None, inventory: args.Inventory = None, json: args.Json = False) -> None:
    """List the devices of the inventory. Touches none."""
    loaded = load_inventory(inventory)
    chosen = select(loaded, devices or EVERYTHING)
    if json:
        show_json([asdict(device) for device in chosen])
        return
    rows = [
        (one.name, address_text(one), str(one.runtime.kind), " ".join(one.groups), " ".join(one.tags))
        for one in chosen
    ]
    out.print(simple_table(("device", "address", "runtime", "groups", "tags"), rows))


@app.command("check", epilog="Examples:\n\n  farm devices check\n\n  farm devices check 'arm-*'")
def check(devices: Which = None, inventory: args.Inventory = None, json: args.Json = False) -> None:
    """Connect, start the agent, probe, and say who holds what. Takes no lease, runs no model."""
    loaded = load_inventory(inventory)
    chosen = select(loaded, devices or EVERYTHING)
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


@app.command("trust", epilog="Examples:\n\n  farm devices trust arm-1\n\n  farm devices trust 'arm-*' --yes")
def trust(
    devices: Annotated[str, typer.Argument(help="A selector, as in --devices.", metavar="SELECTOR")],
    inventory: args.Inventory = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for keys you have compared.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where another key was pinned before.")
    ] = False,
) -> None:
    """Show the host key of a device and pin it in the inventory's known_hosts.

    Compare the fingerprint with what the device itself says (`ssh-keygen -lf /etc/ssh/ssh_host_*.pub`):
    this is the moment in which an impostor would be let in.
    """
    loaded = load_inventory(inventory)
    for device in select(loaded, devices):
        if device.is_local:
            say(f"{device.name}: embedded, its key is made anew for every run")
            continue
        _trust(device, loaded.known_hosts, yes=yes, replace=replace)


def _trust(device: Device, known_hosts: Path, *, yes: bool, replace: bool) -> None:
    asked: set[str] = set()
    while True:
        try:
            keys = run(fetch_host_keys(device, known_hosts=known_hosts))
        except DeviceError as error:
            raise RequestError(f"{device.name}: {error.message}", hint=error.hint) from error
        host = keys[0].host if keys else device.name
        if host in asked:
            return  # the device itself, which is asked even when it is trusted
        asked.add(host)
        for key in keys:
            out.print(plain(f"{device.name}  {host}  {key.type}  {key.fingerprint_sha256}"))
        if not yes and not typer.confirm(f"Trust {host}?", err=True):
            say(f"{device.name}: not trusted", "yellow")
            return
        record(known_hosts, keys, replace=replace)
        say(f"{device.name}: {host} is pinned in {known_hosts}")
