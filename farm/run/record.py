"""Keeps what happens in a run: in the journal, on disk, before the run goes on; in results.json at its end.

What is kept becomes writable here, and free of secrets: nothing after this needs to look at it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Self

from farm.errors import DeviceError, Fault, Stage
from farm.model.comparison import Phase, PhasePlan
from farm.model.journal import (
    CellEnded,
    Deployed,
    DeviceChanged,
    Event,
    FarmFault,
    OutputsCompared,
    PhasePlanned,
    Prepared,
    Resumed,
    RoundEnded,
    RunEnded,
)
from farm.model.matrix import CHECKS, Cell, Plan, RoundKind, Skip
from farm.model.measurement import UNAVAILABLE, UNKNOWN_FLAG
from farm.model.outputs import OutputCheck, OutputVerdict
from farm.model.run import (
    CellResult,
    CellStatus,
    DeviceRecord,
    DeviceStatus,
    PreparationResult,
    Results,
    RoundResult,
    RoundStatus,
    RunStatus,
)
from farm.run.disk import disk_error
from farm.run.planned import Origin, hider_of, kept_plan
from farm.run.secrets import Hider
from farm.store.progress import Progress
from farm.store.runs import RESULTS, RunDirectory
from farm.store.writer import Journal, JournalWriter
from farm.visible import changed, writable

WRONG_OUTPUTS = "wrong-outputs"
"""The cause of a cell whose outputs are not what they should be: its times do not count."""

WRONG_HINT = (
    "the report has the numbers, and the run directory both outputs; if this difference is right, give its "
    "--tolerance, or make the golden file anew"
)


class Recorder:
    """Results of a run in progress. One per run; called from one event loop only.

    What is awaited is on the disk afterwards, or raises DeviceError `controller-disk`; all else is written in
    its order, and what of it could not be is told by the results' `losses`.
    """

    def __init__(
        self,
        directory: RunDirectory,
        progress: Progress,
        journal: Journal,
        hider: Hider,
        losses: tuple[str, ...] = (),
    ) -> None:
        self._directory = directory
        self._progress = progress
        self._journal = journal
        self._reproduce: dict[str, str] = {}
        self._earlier_losses = losses
        self.hider = hider

    @classmethod
    async def open(cls, directory: RunDirectory, plan: Plan, origin: Origin) -> Self:
        """Begin the run on disk. Raises RunError where nothing can be written."""
        hider = hider_of(plan)
        planned = kept_plan(directory.run_id, plan, origin, hider)
        file = await asyncio.to_thread(directory.begin, planned)
        return cls(directory, Progress(planned), JournalWriter(file), hider)

    @classmethod
    async def reopen(cls, directory: RunDirectory, plan: Plan, at: str) -> Self:
        """Go on with a run whose process is gone: cells that it did not end are open again, and so are those
        that failed because of their device or the network. Raises RequestError where it cannot be.
        """
        file, found = await asyncio.to_thread(directory.reopen)
        progress = found.progress
        recorder = cls(directory, progress, JournalWriter(file), hider_of(plan), found.losses)
        cells = {cell.id: cell for cell in plan.cells}
        again = tuple(key for key in cells if is_open_again(progress, key))
        recorder._keep(Resumed(at=at, cells=again))
        for name in dict.fromkeys(cells[key].device.name for key in again):
            recorder.device(name, status=DeviceStatus.OK, error=None, hint=None)
        for key in again:  # its end may be what was not written any more
            rounds = progress.rounds(key)
            if rounds and (failed := failure(rounds, is_last=False)) is not None:
                recorder._end(cells[key], failed)
        return recorder

    def _keep(self, event: Event) -> Future[None]:
        return self._put(changed(event, self._writable))

    def _put(self, event: Event) -> Future[None]:
        """All strings of the event are writable."""
        self._progress.apply(event)
        return self._journal.put(event)

    def _writable(self, text: str) -> str:
        return self.hider.text(writable(text))

    def device(self, name: str, **fields: Any) -> None:
        """Keep facts of a device: fields of DeviceRecord. Only they are gone through for what cannot be
        written or must be hidden: all else was before.
        """
        before = self._progress.device(name)
        clean = {name: changed(value, self._writable) for name, value in fields.items()}
        if (after := replace(before, **clean)) != before:
            self._put(DeviceChanged(device=after))

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

    def record(self, name: str) -> DeviceRecord:
        """What is known of a device."""
        return self._progress.device(name)

    def digest(self, cell: Cell) -> str | None:
        """Of what ran its rounds so far; None where it is not known."""
        return self._progress.digest(cell.id)

    def decided(self, device: str, phase: Phase) -> PhasePlan | None:
        """What was decided for a phase of a device; None before that."""
        return self._progress.phase(device, phase)

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

    def records(self) -> Results:
        """Devices and models as they are so far, and cells as they were planned."""
        return self._progress.records()

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
            return self._earlier_losses
        lost = f"{self._journal.lost} lines of the journal could not be written: {error.strerror or error}"
        return (*self._earlier_losses, lost)


async def _on_disk(kept: Future[None]) -> None:
    try:
        await asyncio.shield(asyncio.wrap_future(kept))
    except OSError as error:
        raise disk_error(error) from error


REASONS_OF_A_DEVICE = frozenset({Fault.DEVICE, Fault.NETWORK})


def is_open_again(progress: Progress, cell: str) -> bool:
    """Whether a later process goes on with a cell: one that nobody ended, or that its device could not go on
    with. One of which a round failed has its answer.
    """
    end = progress.end(cell)
    if end is None or end.status is CellStatus.CANCELLED:
        return True
    rounds = progress.rounds(cell)
    return is_of_device(end) and not (rounds and failure(rounds, is_last=True))


def is_of_device(cell: CellEnded | CellResult) -> bool:
    """Whether a cell failed because its device could not go on, or was somebody else's."""
    is_reason = cell.fault in REASONS_OF_A_DEVICE or cell.stage is Stage.LEASE
    return cell.status is CellStatus.FAILED and is_reason


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
