"""Door of `inventory/`: the YAML files that people write, inventories and suites, as nouns."""

from __future__ import annotations

from pathlib import Path

from farm.inventory.devices import find_default, load
from farm.inventory.select import select
from farm.model.device import Device, Inventory


def read_devices(path: Path | None, selector: str) -> tuple[Inventory, tuple[Device, ...]]:
    """The inventory, the one that is here when none is named, and the devices of it that are meant.

    Raises RequestError, with file and line, for mistakes in the file, and for a selector that matches
    nothing.
    """
    inventory = load(path or find_default(Path.cwd()))
    return inventory, select(inventory, selector)
