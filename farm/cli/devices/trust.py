"""`farm devices trust`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.terminal.asking import agreed
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.loop import run
from farm.errors import DeviceError, RequestError
from farm.inventory import read_devices
from farm.model.device import Device
from farm.transport.host_keys import fetch_host_keys
from farm.transport.known_hosts import record

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm devices trust arm-1\n\n  farm devices trust 'arm-*' --yes"
}


def command(
    devices: Annotated[str, typer.Argument(help="A selector, as in --devices.", metavar="SELECTOR")],
    inventory: args.Inventory = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; for fingerprints you have compared.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a different key that was pinned before.")
    ] = False,
) -> None:
    """Show the host key of a device and pin it in the inventory's known_hosts.

    Compare the fingerprint with the one shown on the device itself
    (`ssh-keygen -lf /etc/ssh/ssh_host_*.pub`): whoever holds the pinned key is trusted from then on.
    """
    loaded, chosen = read_devices(inventory, devices)
    for device in chosen:
        if device.is_local:
            say(f"{device.name}: embedded server with a new host key for every run; nothing to trust")
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
            return  # the device itself: its keys are fetched even when it is trusted
        asked.add(host)
        for key in keys:
            out.print(plain(f"{device.name}  {host}  {key.type}  {key.fingerprint_sha256}"))
        if not yes and not agreed(f"Trust {host}?"):
            say(f"{device.name}: not trusted", "yellow")
            return
        record(known_hosts, keys, replace=replace)
        say(f"{device.name}: pinned {host} in {known_hosts}")
