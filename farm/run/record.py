"""Keeps what happens in a run: in the journal, on disk, before the run goes on; in results.json at its end.

What is kept becomes writable here, and free of secrets: nothing after this needs to look at it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Self

from farm.errors import DeviceError, Fault, Stage
from farm.model.comparison import PhasePlan
from farm.model.device import Device
from farm.model.journal import (
    CellEnded,
    Deployed,
    DeviceChanged,
    Event,
    FarmFault,
    OutputsCompared,
    PhasePlanned,
    Prepared,
    RoundEnded,
    RunEnded,
)
from farm.model.matrix import CHECKS, Cell, CheckData, Model, Plan, RoundKind, Skip, cell_id
from farm.model.measurement import UNAVAILABLE, UNKNOWN_FLAG
from farm.model.outputs import OutputCheck, OutputVerdict
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
from farm.plan.layout import input_digest, options_digest
from farm.run.disk import disk_error
from farm.run.secrets import Hider
from farm.store.progress import Progress
from farm.store.runs import RESULTS, RunDirectory
from farm.store.writer import JournalWriter
from farm.transport.address import address_text
from farm.visible import changed, writable

NOT_RUN = "the run ended before it was measured"
WRONG_OUTPUTS = "wrong-outputs"
"""The cause of a cell whose outputs are not what they should be: its times do not count."""

WRONG_HINT = (
    "the report has the numbers, and the run directory both outputs; if this difference is right, give its "
    "--tolerance, or make the golden file anew"
)


@dataclass(frozen=True)
class Origin:
    """Origin of a run: version of farm, command line, start time (ISO 8601, UTC)."""

    farm_version: str
    command: tuple[str, ...]
    started_at: str


class Recorder:
    """Results of a run in progress. One per run; called from one event loop only.

    What is awaited is on the disk afterwards, or raises DeviceError `controller-disk`; all else is written in
    its order, and what of it could not be is told by the results' `losses`.
    """

    def __init__(self, directory: RunDirectory, plan: Results, journal: JournalWriter, hider: Hider) -> None:
        self._directory = directory
        self._progress = Progress(plan)
        self._journal = journal
        self._reproduce: dict[str, str] = {}
        self.hider = hider

    @classmethod
    async def open(cls, directory: RunDirectory, plan: Plan, origin: Origin) -> Self:
        """Begin the run on disk. Raises RunError where nothing can be written."""
        hider = Hider(plan.devices, [*(cell.id for cell in plan.cells), *(skip.id for skip in plan.skips)])
        planned = changed(
            planned_results(directory.run_id, plan, origin), lambda text: hider.text(writable(text))
        )
        file = await asyncio.to_thread(directory.begin, planned)
        return cls(directory, planned, JournalWriter(file), hider)

    def _keep(self, event: Event) -> Future[None]:
        kept = changed(event, lambda text: self.hider.text(writable(text)))
        self._progress.apply(kept)
        return self._journal.put(kept)

    def device(self, name: str, **fields: Any) -> None:
        """Keep facts of a device: fields of DeviceRecord."""
        before = self._progress.device(name)
        if (after := replace(before, **fields)) != before:
            self._keep(DeviceChanged(device=after))

    def deployed(self, cells: Sequence[Cell], runtime_digest: str | None) -> None:
        """Keep what runs these cells."""
        ids = tuple(cell.id for cell in cells if self._progress.digest(cell.id) != runtime_digest)
        if ids:
            self._keep(Deployed(cells=ids, runtime_digest=runtime_digest))

    def skip(self, skip: Skip) -> None:
        self._keep(CellEnded(cell=skip.id, status=CellStatus.SKIPPED, reason=skip.reason))

    async def round(
        self, cell: Cell, result: RoundResult, *, reproduce: str, is_last: bool | None = None
    ) -> None:
        """Keep a round; the cell is closed with its last one (`is_last`; None: when it has as many as the
        plan says), or with its first failure. A check round that fails costs its cell nothing but the check,
        a profile that fails nothing as long as there is another one.
        """
        self._reproduce[cell.id] = reproduce
        kept = self._keep(RoundEnded(cell=cell.id, round=result))
        rounds = self._progress.rounds(cell.id)
        is_last = len(rounds) == len(cell.rounds) if is_last is None else is_last
        failed = failure(rounds, is_last=is_last)
        if failed is not None or is_last:
            kept = self._end(cell, failed, reproduce=reproduce)
        await _on_disk(kept)

    async def phase(self, plan: PhasePlan) -> None:
        """Keep what was decided for a phase, before its first round."""
        await _on_disk(self._keep(PhasePlanned(plan=plan)))

    async def complete(self, cell: Cell, *, reproduce: str) -> None:
        """Close a cell that gets no more rounds."""
        await _on_disk(self._end(cell, None, reproduce=reproduce))

    def cell(self, cell: Cell) -> CellResult:
        """A cell with the rounds that it has so far."""
        return self._progress.cell(cell.id)

    async def preparations(self, cell: Cell, results: tuple[PreparationResult, ...]) -> None:
        """Keep the results of a cell's preparations; a failed one closes the cell."""
        if not results:
            return
        kept = self._keep(Prepared(cell=cell.id, preparations=results))
        for result in results:
            if result.status is RoundStatus.FAILED and result.round is not None:
                why = result.round.error or f"no {result.kind} was written"
                kept = self._end(cell, replace(result.round, error=f"preparation {result.kind}: {why}"))
        await _on_disk(kept)

    def _end(self, cell: Cell, failed: RoundResult | None, *, reproduce: str | None = None) -> Future[None]:
        """Close a cell whose rounds are over. What its runtime reports as unavailable is a skip, not a
        failure; times that were measured before a profile or dump failed stay.
        """
        notes = (*cell.notes, *notes_on_profiles(self._progress.rounds(cell.id)))
        end = CellEnded(cell=cell.id, status=CellStatus.COMPLETED, notes=notes, reproduce=reproduce)
        if failed is None:
            return self._keep(end)
        if failed.cause in (UNAVAILABLE, UNKNOWN_FLAG):
            return self._keep(replace(end, status=CellStatus.SKIPPED, reason=failed.error))
        return self._keep(
            replace(
                end,
                status=CellStatus.FAILED,
                stage=Stage.EXECUTE,
                fault=failed.fault,
                cause=failed.cause,
                error=failed.error,
                hint=failed.hint,
            )
        )

    async def outputs(self, cells: Sequence[Cell], checks: tuple[OutputCheck, ...]) -> None:
        """Keep what became of check rounds; one of `cells` whose outputs are wrong has failed, whatever its
        rounds say.
        """
        if not checks:
            return
        kept = self._keep(OutputsCompared(checks=checks))
        wrong: dict[str, OutputCheck] = {}
        for check in checks:
            if check.verdict is OutputVerdict.WRONG:
                wrong.setdefault(check.cell, check)
        for cell in cells:
            if cell.id in wrong:
                kept = self._fail_wrong(cell, wrong[cell.id]) or kept
        await _on_disk(kept)

    def _fail_wrong(self, cell: Cell, check: OutputCheck) -> Future[None] | None:
        """None for a cell that ended otherwise."""
        before = self._progress.end(cell.id)
        if before is not None and before.status is not CellStatus.COMPLETED:
            return None
        failed = CellEnded(
            cell=cell.id,
            status=CellStatus.FAILED,
            stage=Stage.EXECUTE,
            fault=Fault.RUNTIME,
            cause=WRONG_OUTPUTS,
            error=f"wrong outputs {check.sentence}",
            hint=WRONG_HINT,
            notes=before.notes if before else cell.notes,
            reproduce=before.reproduce if before else self._reproduce.get(cell.id),
        )
        return self._keep(failed)

    def rounds(self, cell: Cell) -> tuple[RoundResult, ...]:
        return self._progress.rounds(cell.id)

    def checks(self) -> tuple[OutputCheck, ...]:
        return self._progress.checks()

    def is_closed(self, cell: Cell) -> bool:
        return self._progress.is_closed(cell.id)

    def fail(self, cells: Sequence[Cell], error: DeviceError) -> None:
        """Close these cells as failed, with the rounds they have: the device cannot continue."""
        for cell in cells:
            if not self.is_closed(cell):
                self._keep(
                    CellEnded(
                        cell=cell.id,
                        status=CellStatus.FAILED,
                        stage=error.stage,
                        fault=error.fault,
                        cause=error.cause,
                        error=error.message,
                        hint=error.hint,
                        notes=cell.notes,
                    )
                )

    def cancel(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            if not self.is_closed(cell):
                self._keep(
                    CellEnded(
                        cell=cell.id, status=CellStatus.CANCELLED, reason="interrupted", notes=cell.notes
                    )
                )

    def fault(self, device: str, error: Exception) -> None:
        """Keep a mistake of farm itself."""
        self._keep(FarmFault(device=device, error=repr(error)))

    def results(self) -> Results:
        """The results so far, cells in the order of the plan."""
        return self._progress.results()

    async def end(self, status: RunStatus, ended_at: str) -> Results:
        """End the run: the final results, on disk too unless their `losses` say that they are not."""
        self._keep(RunEnded(status=status, ended_at=ended_at))
        return await asyncio.to_thread(self._finish)

    def _finish(self) -> Results:
        self._journal.close()
        results = replace(self.results(), losses=self._losses())
        try:
            self._directory.write_results(results)
        except OSError as error:
            lost = f"{RESULTS} could not be written: {error.strerror or error}"
            return replace(results, losses=(*results.losses, lost))
        return results

    def _losses(self) -> tuple[str, ...]:
        error = self._journal.error
        if error is None:
            return ()
        return (f"{self._journal.lost} lines of the journal could not be written: {error.strerror or error}",)


async def _on_disk(kept: Future[None]) -> None:
    try:
        await asyncio.shield(asyncio.wrap_future(kept))
    except OSError as error:
        raise disk_error(error) from error


def failure(rounds: Sequence[RoundResult], *, is_last: bool) -> RoundResult | None:
    """The round that a cell has failed with, by its rounds so far, the newest last; None while it goes on.

    Of profiles one is enough: only where none was written, and no round follows, has the cell failed. A
    program that has no such option is not asked for it again.
    """
    newest = rounds[-1]
    is_final = newest.kind is not RoundKind.PROFILE or newest.cause in (UNAVAILABLE, UNKNOWN_FLAG)
    if newest.status is RoundStatus.FAILED and newest.kind not in CHECKS and is_final:
        return newest
    profiles = [one for one in rounds if one.kind is RoundKind.PROFILE]
    lost = [one for one in profiles if one.status is RoundStatus.FAILED]
    return lost[0] if is_last and lost and len(lost) == len(profiles) else None


def notes_on_profiles(rounds: Sequence[RoundResult]) -> tuple[str, ...]:
    """What is said of a cell some of whose profiles failed."""
    profiles = [one for one in rounds if one.kind is RoundKind.PROFILE]
    lost = [one for one in profiles if one.status is RoundStatus.FAILED]
    if not 0 < len(lost) < len(profiles):
        return ()
    return (f"{len(lost)} of {len(profiles)} profile rounds failed, the others are used: {lost[0].error}",)


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
