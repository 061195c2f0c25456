"""The results of a run so far: its plan, and every event that was applied to it.

The controller applies events as they happen, a reader as they stand in the journal: both get the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from farm.analysis.summary import summarise
from farm.compare.duels import comparisons
from farm.model.comparison import Phase, PhasePlan
from farm.model.journal import (
    CellEnded,
    Deployed,
    DeviceChanged,
    Event,
    OutputsCompared,
    PhasePlanned,
    Prepared,
    Resumed,
    RoundEnded,
    RunEnded,
)
from farm.model.matrix import RoundKind
from farm.model.outputs import Against, OutputCheck
from farm.model.run import (
    CellResult,
    CellStatus,
    DeviceRecord,
    PreparationResult,
    Results,
    RoundResult,
    RunStatus,
)

NOT_COMPLETE = "the run ended before all its rounds were measured"


class Progress:
    """`plan` has all cells, as they are if nothing is ever run; and the status `running`."""

    def __init__(self, plan: Results) -> None:
        self._frame = plan
        self._cells = {cell.id: cell for cell in plan.cells}
        self._devices = {device.name: device for device in plan.devices}
        self._rounds: defaultdict[str, list[RoundResult]] = defaultdict(list)
        self._digests: dict[str, str | None] = {}
        self._preparations: dict[str, tuple[PreparationResult, ...]] = {}
        self._phases: dict[tuple[str, Phase], PhasePlan] = {}
        self._earlier = frozenset(one.cell for one in plan.earlier)
        self._outputs: dict[tuple[str, Against, str], OutputCheck] = {}
        self._ends = {
            cell.id: CellEnded(cell=cell.id, status=cell.status, reason=cell.reason, notes=cell.notes)
            for cell in plan.cells
            if cell.status is CellStatus.SKIPPED
        }

    def apply(self, event: Event) -> None:
        """Raises KeyError for a cell or device that is not in the plan."""
        match event:
            case DeviceChanged(device=device):
                self._devices[self._devices[device.name].name] = device
            case Deployed(cells=cells, runtime_digest=digest):
                for one in cells:
                    self._digests[self._cells[one].id] = digest
            case Prepared(cell=cell, preparations=preparations):
                self._preparations[self._cells[cell].id] = preparations
            case RoundEnded(cell=cell, round=result):
                self._rounds[self._cells[cell].id].append(result)
            case PhasePlanned(plan=plan):
                self._phases[self._devices[plan.device].name, plan.phase] = plan
            case CellEnded(cell=cell):
                self._ends[self._cells[cell].id] = event
            case OutputsCompared(checks=checks):
                for check in checks:
                    self._outputs[self._cells[check.cell].id, check.against, check.reference] = check
            case RunEnded(status=status, ended_at=ended_at):
                self._frame = replace(self._frame, status=status, ended_at=ended_at)
            case Resumed(at=at, cells=cells):
                for one in cells:
                    self._ends.pop(self._cells[one].id, None)
                again = (*self._frame.resumed, at)
                self._frame = replace(self._frame, status=RunStatus.RUNNING, ended_at=None, resumed=again)
            case _:
                pass  # the first line, and mistakes of farm: for people

    @property
    def status(self) -> RunStatus:
        return self._frame.status

    @property
    def frame(self) -> Results:
        """What is known of the run as a whole; its cells and devices are as they were planned."""
        return self._frame

    def devices(self) -> tuple[str, ...]:
        """All devices, by name."""
        return tuple(self._devices)

    def planned(self) -> tuple[CellResult, ...]:
        """All cells, as they were planned."""
        return tuple(self._cells.values())

    def device(self, name: str) -> DeviceRecord:
        """What is known of a device."""
        return self._devices[name]

    def rounds(self, cell: str) -> tuple[RoundResult, ...]:
        return tuple(self._rounds[cell])

    def end(self, cell: str) -> CellEnded | None:
        """How a cell ended, None of one that is open."""
        return self._ends.get(cell)

    def checks(self) -> tuple[OutputCheck, ...]:
        return tuple(self._outputs.values())

    def phase(self, device: str, phase: Phase) -> PhasePlan | None:
        """What was decided for a phase of a device; None before that."""
        return self._phases.get((device, phase))

    def digest(self, cell: str) -> str | None:
        """Of what runs a cell, as far as it is known."""
        return self._digests.get(cell)

    def is_closed(self, cell: str) -> bool:
        return cell in self._ends

    def over(self, status: RunStatus) -> Results:
        """The results of a run that nobody ended."""
        self._frame = replace(self._frame, status=status)
        return self.results()

    def results(self) -> Results:
        """Cells in the order of the plan; of a run that goes on, without those that do too and without
        comparisons. Cells of an earlier run are left out where nothing of them was to be measured again.
        """
        is_over = self.status is not RunStatus.RUNNING
        results = replace(
            self.records(),
            cells=tuple(
                self._cell(cell) for cell in self._cells.values() if is_over or self.is_closed(cell.id)
            ),
            phases=tuple(self._phases.values()),
            outputs=self.checks(),
        )
        needed = tuple(cell for cell in results.cells if not self._was_not_needed(cell.id))
        compared = comparisons(results) if is_over else ()
        return replace(results, cells=needed, comparisons=compared)

    def records(self) -> Results:
        """Its devices and models as they are, and its cells as they were planned: all that is known of these
        takes a second of a large run.
        """
        return replace(self._frame, devices=tuple(self._devices.values()))

    def cell(self, cell: str) -> CellResult:
        """A cell as it is so far. Raises KeyError."""
        return self._cell(self._cells[cell])

    def _was_not_needed(self, cell: str) -> bool:
        """A cell of an earlier run that nothing was to be measured of."""
        end = self._ends.get(cell)
        is_skipped = end is not None and end.status is CellStatus.SKIPPED
        return cell in self._earlier and not (is_skipped or self.rounds(cell) or cell in self._preparations)

    def _cell(self, planned: CellResult) -> CellResult:
        planned = replace(planned, runtime_digest=self.digest(planned.id))
        rounds, preparations = self.rounds(planned.id), self._preparations.get(planned.id, ())
        end = self._ends.get(planned.id)
        if end is None and not rounds and not preparations:
            return planned
        end = end or CellEnded(
            cell=planned.id, status=CellStatus.CANCELLED, reason=NOT_COMPLETE, notes=planned.notes
        )
        timed = tuple(one for one in rounds if one.kind is RoundKind.TIMED)
        first = next(iter(timed or rounds), None)
        made = tuple(one.round for one in preparations if one.round is not None)
        return replace(
            planned,
            argv=first.argv if first else (),
            status=end.status,
            stage=end.stage,
            fault=end.fault,
            cause=end.cause,
            error=end.error,
            hint=end.hint,
            reason=end.reason,
            notes=tuple(
                dict.fromkeys((*end.notes, *(note for one in (*made, *rounds) for note in one.notes)))
            ),
            reproduce=end.reproduce,
            preparations=preparations,
            rounds=rounds,
            summary=summarise(timed),
            artifacts=tuple(artifact for one in (*made, *rounds) for artifact in one.artifacts),
        )
