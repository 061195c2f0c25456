"""Whether a run that is there is the one that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from farm.model.device import RuntimeKind
from farm.model.matrix import Cell, Plan
from farm.model.run import CellResult, DeviceRecord, Results
from farm.plan.builds import runtimes_of
from farm.plan.layout import native_digest, own_files
from farm.run.planned import Origin, planned_results
from farm.visible import changed, writable


def differences(plan: Plan, results: Results) -> tuple[str, ...]:
    """What a run has otherwise than the plan of what is asked for; only its budget may differ.

    Raises RequestError where a program cannot be read.
    """
    planned = changed(planned_results("", plan, Origin("", (), "")), writable)
    found = (*_of_the_run(planned, results), *_of_the_cells(plan, planned, results))
    return tuple(dict.fromkeys(found))


def _of_the_run(planned: Results, results: Results) -> Iterator[str]:
    if results.seed != planned.seed:
        yield f"its seed is {results.seed}, not {planned.seed}"
    if results.comparing != planned.comparing:
        yield "its minimum effect is another one"
    if _without_budget(results) != _without_budget(planned):
        yield "it has another number of pairs"
    if results.checking != planned.checking or _goldens(results) != _goldens(planned):
        yield "its outputs were checked otherwise"


def _without_budget(results: Results) -> object:
    return replace(results.sampling, budget_s=None) if results.sampling is not None else None


def _goldens(results: Results) -> object:
    return {(one.name, one.golden) for one in results.models}


def _of_the_cells(plan: Plan, planned: Results, results: Results) -> Iterator[str]:
    found = {cell.id: cell for cell in results.cells}
    wanted = {cell.id: cell for cell in planned.cells}
    for cell in plan.cells:
        asked = wanted.get(writable(cell.id))
        there = found.get(asked.id) if asked is not None else None
        if asked is None or there is None:
            yield f"it has no {cell.id}"
            continue
        if _address(results.devices, there) != _address(planned.devices, asked):
            yield f"{cell.device.name} has another address"
        yield from (what for what, key in _DIGESTS.items() if getattr(there, key) != getattr(asked, key))
        if not _is_program(plan, cell, there.runtime_digest):
            yield f"the program of {cell.build} is another one"


_DIGESTS = {
    "its model is another one": "model_sha256",
    "its input is another one": "input_sha256",
    "its options are others": "options_sha256",
}


def _address(devices: tuple[DeviceRecord, ...], cell: CellResult) -> str | None:
    return next((one.address for one in devices if one.name == cell.device), None)


def _is_program(plan: Plan, cell: Cell, digest: str | None) -> bool:
    """True also where the digest is only known on the device."""
    runtimes = runtimes_of(plan, cell)
    is_here = all(one.kind is RuntimeKind.NATIVE and not one.on_device for one in runtimes)
    if digest is None or not is_here:
        return True
    return digest in {native_digest(own_files(one)) for one in runtimes}
