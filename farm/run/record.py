"""Keeps what happened, on disk before anything else goes on: journal first, then results.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from farm.analysis.summary import summarise
from farm.errors import DeviceError, Stage
from farm.model.device import Device
from farm.model.matrix import Cell, Plan, RoundKind, Skip
from farm.model.measurement import UNAVAILABLE
from farm.model.run import (
    SCHEMA_VERSION,
    CellResult,
    CellStatus,
    DeviceRecord,
    ModelRecord,
    Results,
    RoundResult,
    StageResult,
    VariantRecord,
)
from farm.run.execute import artifacts_of
from farm.store.runs import RunDirectory

WRITE_EVERY_S = 2.0


class Recorder:
    """Results of a run while it grows. One per run; called from one event loop only."""

    def __init__(
        self,
        run: RunDirectory,
        plan: Plan,
        *,
        farm_version: str,
        command: Sequence[str],
        started_at: str,
        clock: Callable[[], float],
    ) -> None:
        self.run = run
        self._plan = plan
        self._clock = clock
        self._written_at = float("-inf")
        self._rounds: dict[str, list[RoundResult]] = {cell.id: [] for cell in plan.cells}
        self._stages: dict[str, tuple[StageResult, ...]] = {}
        self._cells: dict[str, CellResult] = {}
        self._devices = {
            device.name: DeviceRecord(device.name, address_text(device), device.runtime.kind.value)
            for device in plan.devices
        }
        self._frame = Results(
            schema_version=SCHEMA_VERSION,
            run_id=run.run_id,
            farm_version=farm_version,
            started_at=started_at,
            ended_at=None,
            status="running",
            command=tuple(command),
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
        for skip in plan.skips:
            self.skip(skip)

    def device(self, name: str, **fields: object) -> None:
        """Learn something of a device."""
        self._devices[name] = replace(self._devices[name], **fields)  # type: ignore[arg-type]

    def skip(self, skip: Skip) -> None:
        key = f"{skip.device.name}/{skip.model.name}/{skip.variant.name}"
        self._cells[key] = CellResult(
            device=skip.device.name,
            model=skip.model.name,
            variant=skip.variant.name,
            options=skip.variant.options.as_dict(),
            argv=(),
            status=CellStatus.SKIPPED,
            reason=skip.reason,
        )
        self.run.journal("skip", cell=key, reason=skip.reason)

    def round(self, cell: Cell, result: RoundResult, *, reproduce: str) -> None:
        """Keep a round; the cell is closed with its last one, or with its first failure."""
        rounds = self._rounds[cell.id]
        rounds.append(result)
        self.run.journal(
            "round",
            cell=cell.id,
            kind=result.kind,
            index=result.index,
            status=result.status,
            value_ms=result.value_ms,
            e2e_ms=result.e2e_ms,
            error=result.error,
        )
        failed = next((one for one in rounds if one.status == "failed"), None)
        if failed is not None or len(rounds) == len(cell.rounds):
            self._end(cell, failed, reproduce=reproduce)
        self.write(now=False)

    def stages(self, cell: Cell, results: tuple[StageResult, ...]) -> None:
        """Keep what a cell's stages gave; a failed one closes the cell."""
        self._stages[cell.id] = results
        for result in results:
            self.run.journal(
                "stage",
                cell=cell.id,
                kind=result.kind,
                status=result.status,
                seconds=result.seconds,
                from_run=result.from_run,
                key=result.key,
            )
            if result.status == "failed" and result.round is not None:
                said = result.round.error or f"it wrote no {result.kind}"
                self._end(cell, replace(result.round, error=f"stage {result.kind}: {said}"))
        self.write(now=False)

    def _end(self, cell: Cell, failed: RoundResult | None, *, reproduce: str | None = None) -> None:
        """Close a cell whose rounds are over. What its runtime says it cannot do is a skip, no failure;
        times that were measured before an observer failed stay.
        """
        if failed is None:
            self._close(cell, CellStatus.COMPLETED, reproduce=reproduce)
        elif failed.cause == UNAVAILABLE:
            self._close(cell, CellStatus.SKIPPED, reason=failed.error, reproduce=reproduce)
        else:
            self._close(
                cell,
                CellStatus.FAILED,
                stage=Stage.EXECUTE.value,
                fault=failed.fault,
                cause=failed.cause,
                error=failed.error,
                hint=failed.hint,
                reproduce=reproduce,
            )

    def is_closed(self, cell: Cell) -> bool:
        return cell.id in self._cells

    def fail(self, cells: Sequence[Cell], error: DeviceError) -> None:
        """These cells end here, with what they have: the device could not go on."""
        for cell in cells:
            if not self.is_closed(cell):
                self._close(
                    cell,
                    CellStatus.FAILED,
                    stage=error.stage.value,
                    fault=error.fault.value,
                    cause=error.cause,
                    error=error.message,
                    hint=error.hint,
                )
                self.run.journal(
                    "failed", cell=cell.id, stage=error.stage.value, cause=error.cause, error=error.message
                )
        self.write(now=True)

    def cancel(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            if not self.is_closed(cell):
                self._close(cell, CellStatus.CANCELLED, reason="interrupted")
        self.write(now=True)

    def _close(self, cell: Cell, status: CellStatus, **fields: str | None) -> None:
        rounds = tuple(self._rounds[cell.id])
        timed = tuple(one for one in rounds if one.kind == RoundKind.TIMED.value)
        first = next(iter(timed or rounds), None)
        stages = self._stages.get(cell.id, ())
        made = tuple(stage.round for stage in stages if stage.round is not None)
        self._cells[cell.id] = CellResult(
            device=cell.device.name,
            model=cell.model.name,
            variant=cell.variant.name,
            options=cell.variant.options.as_dict(),
            argv=first.argv if first else (),
            status=status,
            notes=cell.notes,
            stages=stages,
            rounds=rounds,
            summary=summarise(timed),
            artifacts=artifacts_of((*made, *rounds)),
            **fields,
        )

    def results(self) -> Results:
        """The results as they stand, cells in the order of the plan."""
        order = [
            f"{device.name}/{model.name}/{variant.name}"
            for device in self._plan.devices
            for model in self._plan.models
            for variant in self._plan.variants
        ]
        return replace(
            self._frame,
            devices=tuple(self._devices.values()),
            cells=tuple(self._cells[key] for key in order if key in self._cells),
        )

    def end(self, status: str, ended_at: str) -> Results:
        """Close the books: the run's last word is on disk when this returns."""
        self._frame = replace(self._frame, status=status, ended_at=ended_at)
        self.run.journal("end", status=status)
        self.write(now=True)
        return self.results()

    def write(self, *, now: bool) -> None:
        """results.json, at most every few seconds while rounds come in (the journal has them all)."""
        if now or self._clock() - self._written_at >= WRITE_EVERY_S:
            self.run.write_results(self.results())
            self._written_at = self._clock()


def address_text(device: Device) -> str:
    """`user@host:port` as far as the inventory says it."""
    address = device.address
    text = f"{address.user}@{address.host}" if address.user else address.host
    return f"{text}:{address.port}" if address.port else text
