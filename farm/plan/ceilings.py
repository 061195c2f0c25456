"""Which ceilings a plan needs: those of every core set that a profiled cell computes with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from farm.cores import AUTOMATIC, automatic_cores, given_core_ids
from farm.errors import RequestError
from farm.model.device import Device, Facts
from farm.model.limits.ceilings import CoreSet, GivenCeilings
from farm.model.matrix import Cell, Plan, RoundKind
from farm.options.core_sets import core_set
from farm.plan.matrix import cells_of


@dataclass(frozen=True)
class NeededCeilings:
    """A core set as it was planned, the profiled cells that compute with it, and what the inventory says."""

    core_set: CoreSet
    cells: tuple[Cell, ...]
    given: GivenCeilings | None


def needed_ceilings(plan: Plan, device: Device) -> tuple[NeededCeilings, ...]:
    """In the order of the plan, as far as is known before the device is probed."""
    found: dict[CoreSet, list[Cell]] = {}
    for cell in cells_of(plan, device):
        if is_profiled(cell):
            found.setdefault(core_set(cell.variant.options.as_dict()), []).append(cell)
    return tuple(
        NeededCeilings(asked, tuple(cells), given_ceilings(device, asked)) for asked, cells in found.items()
    )


def is_profiled(cell: Cell) -> bool:
    return any(one.kind is RoundKind.PROFILE for one in cell.rounds)


def given_ceilings(device: Device, asked: CoreSet, facts: Facts | None = None) -> GivenCeilings | None:
    """What the inventory says of a core set: of the entries that hold for it the one that names most."""
    return max(
        (one for one in device.ceilings if _holds(one, device, asked, facts)), key=_conditions, default=None
    )


def _conditions(given: GivenCeilings) -> int:
    return sum(one is not None for one in (given.threads, given.cores, given.is_gpu))


def _holds(given: GivenCeilings, device: Device, asked: CoreSet, facts: Facts | None) -> bool:
    if asked.is_gpu:
        return given.is_gpu is not False and given.threads is None and given.cores is None
    if given.is_gpu or given.threads not in (None, asked.threads or 1):
        return False
    if given.cores is None:
        return True
    if not asked.cores:
        return False
    bound, among = (_ids(text, device, facts) for text in (asked.cores, given.cores))
    return bound <= among


def _ids(text: str, device: Device, facts: Facts | None) -> set[int | str]:
    """Core ids of ids and labels; a label that only a probed device can resolve stands for itself."""
    labels = dict(device.cores)
    found: set[int | str] = set()
    for part in text.split(","):
        found.update(labels[part] if part in labels else _of_part(part, facts))
    return found


def _of_part(part: str, facts: Facts | None) -> Iterable[int | str]:
    try:
        if part in AUTOMATIC:
            return automatic_cores(part, facts) if facts else (part,)
        return given_core_ids(part)
    except (RequestError, ValueError):
        return (part,)
