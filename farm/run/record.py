"""Writes each result to disk before the run continues: journal first, then results.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from farm.analysis.summary import summarise
from farm.errors import DeviceError, Stage
from farm.model.device import Device
from farm.model.matrix import Cell, Plan, RoundKind, Skip, cell_id
from farm.model.measurement import UNAVAILABLE
from farm.model.run import (
    SCHEMA_VERSION,
    CellResult,
    CellStatus,
    DeviceRecord,
    ModelRecord,
    PreparationResult,
    Results,
    RoundResult,
    RoundStatus,
    RunStatus,
    VariantRecord,
)
from farm.store.runs import RunDirectory
from farm.transport.address import address_text

WRITE_EVERY_S = 2.0


@dataclass(frozen=True)
class Origin:
    """Origin of a run: version of farm, command line, start time (ISO 8601, UTC)."""

    farm_version: str
    command: tuple[str, ...]
    started_at: str


class Recorder:
    """Results of a run in progress. One per run; called from one event loop only."""

    def __init__(
        self, directory: RunDirectory, plan: Plan, origin: Origin, *, clock: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._plan = plan
        self._clock = clock
        self._written_at = float("-inf")
        self._rounds: dict[str, list[RoundResult]] = {cell.id: [] for cell in plan.cells}
        self._preparations: dict[str, tuple[PreparationResult, ...]] = {}
        self._cells: dict[str, CellResult] = {}
        self._devices = {device.name: _device_record(device) for device in plan.devices}
        self._frame = _frame(directory.run_id, plan, origin)
        for skip in plan.skips:
            self.skip(skip)

    def device(self, name: str, **fields: Any) -> None:
        """Keep facts of a device: fields of DeviceRecord."""
        self._devices[name] = replace(self._devices[name], **fields)

    def skip(self, skip: Skip) -> None:
        self._cells[skip.id] = CellResult(
            device=skip.device.name,
            model=skip.model.name,
            variant=skip.variant.name,
            options=skip.variant.options.as_dict(),
            argv=(),
            status=CellStatus.SKIPPED,
            reason=skip.reason,
        )
        self._directory.journal("skip", cell=skip.id, reason=skip.reason)

    def round(self, cell: Cell, result: RoundResult, *, reproduce: str) -> None:
        """Keep a round; the cell is closed with its last one, or with its first failure."""
        rounds = self._rounds[cell.id]
        rounds.append(result)
        self._directory.journal(
            "round",
            cell=cell.id,
            kind=result.kind,
            index=result.index,
            status=result.status,
            value_ms=result.value_ms,
            e2e_ms=result.e2e_ms,
            error=result.error,
        )
        failed = next((one for one in rounds if one.status is RoundStatus.FAILED), None)
        if failed is not None or len(rounds) == len(cell.rounds):
            self._end(cell, failed, reproduce=reproduce)
        self.write(now=False)

    def preparations(self, cell: Cell, results: tuple[PreparationResult, ...]) -> None:
        """Keep the results of a cell's preparations; a failed one closes the cell."""
        self._preparations[cell.id] = results
        for result in results:
            self._directory.journal(
                "preparation",
                cell=cell.id,
                kind=result.kind,
                status=result.status,
                seconds=result.seconds,
                from_run=result.from_run,
                key=result.key,
            )
            if result.status is RoundStatus.FAILED and result.round is not None:
                why = result.round.error or f"no {result.kind} was written"
                self._end(cell, replace(result.round, error=f"preparation {result.kind}: {why}"))
        self.write(now=False)

    def _end(self, cell: Cell, failed: RoundResult | None, *, reproduce: str | None = None) -> None:
        """Close a cell whose rounds are over. What its runtime reports as unavailable is a skip, not a
        failure; times that were measured before a profile or dump failed stay.
        """
        if failed is None:
            self._close(cell, CellStatus.COMPLETED, reproduce=reproduce)
        elif failed.cause == UNAVAILABLE:
            self._close(cell, CellStatus.SKIPPED, reason=failed.error, reproduce=reproduce)
        else:
            self._close(
                cell,
                CellStatus.FAILED,
                stage=Stage.EXECUTE,
                fault=failed.fault,
                cause=failed.cause,
                error=failed.error,
                hint=failed.hint,
                reproduce=reproduce,
            )

    def is_closed(self, cell: Cell) -> bool:
        return cell.id in self._cells

    def fail(self, cells: Sequence[Cell], error: DeviceError) -> None:
        """Close these cells as failed, with the rounds they have: the device cannot continue."""
        for cell in cells:
            if not self.is_closed(cell):
                self._close(
                    cell,
                    CellStatus.FAILED,
                    stage=error.stage,
                    fault=error.fault,
                    cause=error.cause,
                    error=error.message,
                    hint=error.hint,
                )
                self._directory.journal(
                    "failed", cell=cell.id, stage=error.stage, cause=error.cause, error=error.message
                )
        self.write(now=True)

    def cancel(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            if not self.is_closed(cell):
                self._close(cell, CellStatus.CANCELLED, reason="interrupted")
        self.write(now=True)

    def _close(self, cell: Cell, status: CellStatus, **fields: Any) -> None:
        rounds = tuple(self._rounds[cell.id])
        timed = tuple(one for one in rounds if one.kind is RoundKind.TIMED)
        first = next(iter(timed or rounds), None)
        preparations = self._preparations.get(cell.id, ())
        made = tuple(one.round for one in preparations if one.round is not None)
        self._cells[cell.id] = CellResult(
            device=cell.device.name,
            model=cell.model.name,
            variant=cell.variant.name,
            options=cell.variant.options.as_dict(),
            argv=first.argv if first else (),
            status=status,
            notes=cell.notes,
            preparations=preparations,
            rounds=rounds,
            summary=summarise(timed),
            artifacts=tuple(artifact for one in (*made, *rounds) for artifact in one.artifacts),
            **fields,
        )

    def results(self) -> Results:
        """The results so far, cells in the order of the plan."""
        order = (
            cell_id(device, model, variant)
            for device in self._plan.devices
            for model in self._plan.models
            for variant in self._plan.variants
        )
        return replace(
            self._frame,
            devices=tuple(self._devices.values()),
            cells=tuple(self._cells[key] for key in order if key in self._cells),
        )

    def end(self, status: RunStatus, ended_at: str) -> Results:
        """End the run; the final results are on disk when this returns."""
        self._frame = replace(self._frame, status=status, ended_at=ended_at)
        self._directory.journal("end", status=status)
        self.write(now=True)
        return self.results()

    def write(self, *, now: bool) -> None:
        """results.json, at most every few seconds while rounds come in (the journal has them all)."""
        if now or self._clock() - self._written_at >= WRITE_EVERY_S:
            self._directory.write_results(self.results())
            self._written_at = self._clock()


def _device_record(device: Device) -> DeviceRecord:
    return DeviceRecord(device.name, address_text(device.address), device.runtime.kind)


def _frame(run_id: str, plan: Plan, origin: Origin) -> Results:
    """The results before the first round: what was planned."""
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
        devices=(),
        models=tuple(
            ModelRecord(model.name, model.artifact.sha256, model.artifact.size_bytes, model.inputs.text)
            for model in plan.models
        ),
        variants=tuple(
            VariantRecord(variant.name, variant.options.as_dict(), variant.options.digest)
            for variant in plan.variants
        ),
        cells=(),
    )
