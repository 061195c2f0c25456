"""The results of a run of which nothing was run: what was planned."""

from __future__ import annotations

from dataclasses import dataclass

from farm.model.device import Device
from farm.model.matrix import Cell, CheckData, Model, Plan, Skip, cell_id
from farm.model.run import (
    SCHEMA_VERSION,
    CellResult,
    CellStatus,
    DeviceRecord,
    ModelRecord,
    Results,
    RunStatus,
    VariantRecord,
)
from farm.plan.layout import input_digest, options_digest
from farm.run.secrets import Hider
from farm.transport.address import address_text
from farm.visible import changed, writable

NOT_RUN = "the run ended before it was measured"


@dataclass(frozen=True)
class Origin:
    """Origin of a run: version of farm, command line, start time (ISO 8601, UTC)."""

    farm_version: str
    command: tuple[str, ...]
    started_at: str


def hider_of(plan: Plan) -> Hider:
    """It knows the secrets of the plan's devices."""
    return Hider(plan.devices, [*(cell.id for cell in plan.cells), *(skip.id for skip in plan.skips)])


def kept_plan(run_id: str, plan: Plan, origin: Origin, hider: Hider) -> Results:
    """As `planned_results`, writable and without secrets: what run.json has."""
    return changed(planned_results(run_id, plan, origin), lambda text: hider.text(writable(text)))


def planned_results(run_id: str, plan: Plan, origin: Origin) -> Results:
    """The results of a run of which nothing was run: what was planned."""
    skipped = (_planned(skip, CellStatus.SKIPPED, skip.reason) for skip in plan.skips)
    cells = {
        one.id: one for one in (*skipped, *(_planned(c, CellStatus.CANCELLED, NOT_RUN) for c in plan.cells))
    }
    order = (
        cell_id(device.name, model.name, variant.name, build.name)
        for device in plan.devices
        for model in plan.models
        for variant in plan.variants
        for build in plan.builds
    )
    ordered = dict.fromkeys((*(key for key in order if key in cells), *cells))
    return Results(
        schema_version=SCHEMA_VERSION,
        run_id=run_id,
        farm_version=origin.farm_version,
        started_at=origin.started_at,
        ended_at=None,
        status=RunStatus.RUNNING,
        command=origin.command,
        seed=plan.seed,
        rounds=plan.rounds,
        devices=tuple(_device_record(device) for device in plan.devices),
        models=tuple(_model_record(model) for model in plan.models),
        variants=tuple(
            VariantRecord(variant.name, variant.options.as_dict(), variant.options.digest)
            for variant in plan.variants
        ),
        cells=tuple(cells[key] for key in ordered),
        duels=plan.duels,
        comparing=plan.comparing,
        sampling=plan.sampled,
        earlier=plan.earlier,
        checking=plan.checking,
    )


def _model_record(model: Model) -> ModelRecord:
    check = model.check or CheckData()
    return ModelRecord(
        model.name,
        model.artifact.sha256,
        model.artifact.size_bytes,
        model.inputs.text,
        check.records,
        check.golden.name if check.golden else None,
    )


def _planned(one: Cell | Skip, status: CellStatus, reason: str) -> CellResult:
    return CellResult(
        device=one.device.name,
        model=one.model.name,
        variant=one.variant.name,
        options=one.variant.options.as_dict(),
        argv=(),
        status=status,
        reason=reason,
        notes=one.notes if isinstance(one, Cell) else (),
        build=one.build,
        model_sha256=one.model.artifact.sha256,
        input_sha256=input_digest(one.model.inputs),
        options_sha256=options_digest(one.variant.options, one.files if isinstance(one, Cell) else ()),
    )


def _device_record(device: Device) -> DeviceRecord:
    return DeviceRecord(device.name, address_text(device.address), device.runtime.kind, tags=device.tags)
