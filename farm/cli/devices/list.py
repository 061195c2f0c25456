"""`farm devices list`."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from farm.cli import arguments as args
from farm.cli.terminal.console import out
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.inventory import read_devices
from farm.model.device import ALL_DEVICES, Device
from farm.transport.address import address_text

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm devices list\n\n  farm devices list 'tag:cuda' --json"
}


def command(devices: args.Selector = None, inventory: args.Inventory = None, json: args.Json = False) -> None:
    """List the devices of the inventory. Touches no device."""
    _, chosen = read_devices(inventory, devices or ALL_DEVICES)
    if json:
        show_json([as_json(device) for device in chosen])
        return
    rows = [
        (
            one.name,
            address_text(one.address),
            str(one.runtime.kind),
            " ".join(one.groups),
            " ".join(one.tags),
            powers(one),
        )
        for one in chosen
    ]
    out.print(simple_table(("device", "address", "runtime", "groups", "tags", "power"), rows))


def as_json(device: Device) -> dict[str, Any]:
    """Of its relay the name and how it logs in."""
    relay = device.relay and asdict(device.relay) | {"device": device.relay.device.name}
    return asdict(replace(device, relay=None)) | {"relay": relay}


def powers(device: Device) -> str:
    """What its power hooks can do."""
    return " ".join(device.power.actions) if device.power else ""
