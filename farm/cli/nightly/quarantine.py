"""Devices that fail are left out for some nights, and come back when they pass their check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from farm.cli.terminal.console import say
from farm.cli.terminal.loop import run
from farm.errors import FarmError
from farm.model.device import Device, Inventory
from farm.model.run import DeviceStatus, Results
from farm.nightly.nouns import Finding, Kind
from farm.run.devices.check import check_devices
from farm.store.notes.quarantine import BY_CHECK, in_quarantine, put, released


def check_quarantined(inventory: Inventory, devices: Sequence[Device], runs_dir: Path) -> None:
    """Those that a failed check put there are tried again, before the night."""
    found = in_quarantine(runs_dir)
    tried = [device for device in devices if device.name in found and found[device.name].by == BY_CHECK]
    if not tried:
        return
    checked = run(check_devices(tried, inventory.known_hosts))
    for name in released(runs_dir, [one.device for one in checked if not one.error]):
        say(f"{name}: released from quarantine")


def quarantined(results: Results, runs_dir: Path, days: float) -> tuple[Finding, ...]:
    """After the night: devices that failed go into quarantine, and everything of the suite that is there."""
    if days:
        for device in results.devices:
            if device.status is DeviceStatus.FAILED:
                _put(runs_dir, device.name, device.error or "it failed", days)
    found = in_quarantine(runs_dir)
    return tuple(
        Finding(Kind.QUARANTINED, one.name, "", f"{one.name}: {found[one.name].sentence}")
        for one in results.devices
        if one.name in found
    )


def _put(runs_dir: Path, device: str, why: str, days: float) -> None:
    """A disk that fails costs no night."""
    try:
        put(runs_dir, device, why, days, BY_CHECK)
    except FarmError as error:
        say(str(error), "yellow")
