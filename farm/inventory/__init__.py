"""Door of `inventory/`: inventories and suites in YAML, selectors, conditions."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_config_path

from farm.files import is_file
from farm.inventory.files import absolute
from farm.inventory.select import select
from farm.model.device import KNOWN_HOSTS, LOCAL, Address, Device, Inventory, Runtime, RuntimeKind


def read_devices(path: Path | None, selector: str) -> tuple[Inventory, tuple[Device, ...]]:
    """The inventory (without `path`: the default one) and its devices that match the selector.

    Raises RequestError, with file and line, for mistakes in the file, and for a selector that matches
    nothing.
    """
    found = path or find_default(absolute(Path()))
    inventory = _read(found) if found else this_machine()
    return inventory, select(inventory, selector)


def _read(path: Path) -> Inventory:
    from farm.inventory.devices import load  # YAML and validation cost a tenth of a second

    return load(path)


def find_default(cwd: Path) -> Path | None:
    """The default inventory: `inventory.yaml` or `inventory/` in `cwd`; None when there is none."""
    for path in (cwd / "inventory.yaml", cwd / "inventory"):
        if is_file(path) or path.is_dir():
            return path
    return None


def this_machine() -> Inventory:
    """The built-in inventory: this machine alone, as `local`."""
    device = Device(LOCAL, Address(LOCAL), Runtime(RuntimeKind.WHEEL))
    return Inventory((device,), None, user_config_path("farm") / KNOWN_HOSTS)
