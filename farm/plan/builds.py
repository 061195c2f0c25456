"""The builds of a request: found by name, and checked against the devices that are to run them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from farm.errors import RequestError
from farm.files import is_file
from farm.inventory.files import BUILDS_FILE, files_of, missing_files
from farm.inventory.mistakes import refuse
from farm.model.build import INVENTORY_BUILD, Build
from farm.model.device import Device, Facts, Inventory, Runtime, RuntimeKind
from farm.plan.rules import candidates, no_runtime, runtime_of
from farm.suggest import nearest

if TYPE_CHECKING:  # `farm devices check` needs neither
    from farm.model.matrix import Cell, Plan
    from farm.model.request import Request

HINT = "docs/builds.md shows how a build is defined"


@dataclass(frozen=True)
class Use:
    """A runtime that a device may get: `device` has it; `owner` and `source` (`file:line`) are where it was
    named. `is_sure` is false where facts of the device decide between several.
    """

    device: Device
    owner: str
    source: str
    is_sure: bool


def read_builds(request: Request, inventory: Inventory) -> tuple[Build, ...]:
    """The builds that a request names, in its order; each device's own runtime when it names none.

    Raises RequestError for a name that nobody defines, and for mistakes in the builds file.
    """
    names = request.builds or (INVENTORY_BUILD.name,)
    wanted = [name for name in names if name != INVENTORY_BUILD.name]
    if not wanted:
        return (INVENTORY_BUILD,)
    from farm.inventory import builds as door  # YAML and validation cost a tenth of a second

    path = builds_path(request, inventory)
    of_file = door.load(path) if path else ()
    known = {INVENTORY_BUILD.name: INVENTORY_BUILD}
    for build in (*request.defined, *of_file):
        twin = known.setdefault(build.name, build)
        if twin is not build and build.name in wanted:
            raise RequestError(
                f"build {build.name} is already defined in {twin.source}",
                hint="use another name for one of them",
                source=build.source,
            )
    for name in wanted:
        if name not in known:
            where = f" (builds are read from {path})" if of_file else ""
            raise RequestError(
                f"unknown build {name!r}{nearest(name, known)}{where}",
                hint=f"{HINT}; --builds FILE says where" if not of_file else f"known: {', '.join(known)}",
            )
    return tuple(known[name] for name in names)


def builds_path(request: Request, inventory: Inventory) -> Path | None:
    """The builds file: that of the request, or the one beside the inventory, where there is one."""
    return request.builds_file or builds_beside(inventory)


def builds_beside(inventory: Inventory) -> Path | None:
    """The builds file beside an inventory, where there is one."""
    if inventory.source is None:
        return None
    folder = inventory.source if inventory.source.is_dir() else inventory.source.parent
    return folder / BUILDS_FILE if is_file(folder / BUILDS_FILE) else None


def uses(builds: Sequence[Build], devices: Sequence[Device]) -> Iterator[Use]:
    """Every runtime that one of the devices may get from one of the builds."""
    for build in builds:
        for device in devices:
            is_own = not build.choices
            for choice in candidates(build, device, None):
                yield Use(
                    replace(device, runtime=choice.runtime),
                    f"device {device.name}" if is_own else f"build {build.name}",
                    (device.source if is_own else choice.source) or device.name,
                    runtime_of(build, device, None) is not None,
                )


def refuse_unfit_builds(builds: Sequence[Build], devices: Sequence[Device]) -> None:
    """Raise RequestError, with file and line, for a build that has nothing for any of the devices, and for
    files of builds that do not exist.
    """
    for build in builds:
        if not any(candidates(build, device, None) for device in devices):
            names = ", ".join(device.name for device in devices[:3])
            more = f" and {len(devices) - 3} more" if len(devices) > 3 else ""
            raise RequestError(
                f"build {build.name} has no runtime for any selected device ({names}{more}): "
                "none of its conditions holds",
                hint="correct its conditions, or select other devices",
                source=build.source,
            )
    refuse(
        mistake
        for use in uses([build for build in builds if build.choices], devices)
        for mistake in missing_files(use.source, use.owner, files_of(use.device.runtime))
    )


def may_run_wheel(plan: Plan) -> bool:
    """Whether a cell is run with the wheel runtime, as far as is known before the devices are probed."""
    return any(
        runtime.kind is RuntimeKind.WHEEL for cell in plan.cells for runtime in runtimes_of(plan, cell)
    )


def runtimes_of(plan: Plan, cell: Cell) -> tuple[Runtime, ...]:
    """What may run a cell, as far as is known before its device is probed: one runtime where that decides
    nothing.
    """
    build, device = _build(plan, cell), _own(plan, cell)
    if build is None or device is None:
        return (cell.device.runtime,)
    return tuple(dict.fromkeys(choice.runtime for choice in candidates(build, device, None)))


def resolved(plan: Plan, cell: Cell, facts: Facts) -> Cell | str:
    """The cell with the runtime that its build means for the probed device, or why it has none."""
    build, device = _build(plan, cell), _own(plan, cell)
    if build is None or device is None:
        return cell
    runtime = runtime_of(build, device, facts)
    if runtime is not None:
        return replace(cell, device=replace(cell.device, runtime=runtime))
    open_ = [choice for choice in candidates(build, device, facts) if choice.when]
    if open_:
        words = " and ".join(condition.text for condition in open_[0].when)
        what = f"which runtime build {build.name} has for {device.name} is not known"
        return f"{what}: {words} cannot be told there"
    return no_runtime(build, device)


def _build(plan: Plan, cell: Cell) -> Build | None:
    """None for a cell whose runtime is its own, as those of a baseline."""
    return next((build for build in plan.builds if build.name == cell.build), None)


def _own(plan: Plan, cell: Cell) -> Device | None:
    """The device as the inventory has it."""
    return plan.device_of.get(cell.device.name)
