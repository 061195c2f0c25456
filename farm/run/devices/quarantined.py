"""Devices in quarantine are left out of plans, with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from farm.errors import RequestError
from farm.model.matrix import Plan, Skip
from farm.store.notes.quarantine import in_quarantine


def without_quarantined(plan: Plan, runs_dir: Path) -> Plan:
    """Raises RequestError where no other device is left."""
    found = in_quarantine(runs_dir)
    gone = {device.name: device for device in plan.devices if device.name in found}
    if not gone:
        return plan
    lost = [cell for cell in plan.cells if cell.device.name in gone]
    left = tuple(cell for cell in plan.cells if cell.device.name not in gone)
    if lost and not left:
        first = next(iter(gone))
        raise RequestError(f"{first} is {found[first].sentence}", hint=f"farm devices restore {first}")
    known = {cell.id for cell in left}
    skips = (
        Skip(cell.device, cell.model, cell.variant, found[cell.device.name].sentence, cell.build)
        for cell in lost
    )
    return replace(
        plan,
        cells=left,
        skips=(*plan.skips, *skips),
        duels=tuple(one for one in plan.duels if {one.baseline, one.candidate} <= known),
    )
