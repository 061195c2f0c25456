"""What a former process had done of a run on one device: it is used, and must belong to what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from farm.compare.fingerprint import Fingerprint, Side, differences, fingerprint
from farm.errors import DeviceError, Fault, Stage
from farm.model.comparison import Change
from farm.model.device import Device, Facts
from farm.model.matrix import Cell
from farm.model.run import DeviceRecord, RoundStatus
from farm.plan.matrix import cells_of
from farm.run.context import RunContext
from farm.run.deploy import Deployed

OTHER_DEVICE, OTHER_PROGRAM = "device-changed", "program-changed"
"""Causes of cells that cannot be gone on with."""
ANEW = "measure them in a new run: farm bench"


class Earlier:
    """Of one device, as it was recorded when this process began; of a new run it is nothing."""

    def __init__(self, context: RunContext, device: Device) -> None:
        recorder = self._recorder = context.recorder
        self._device = device
        self._record: DeviceRecord = recorder.record(device.name)
        self._cells = cells_of(context.plan, device)
        self._had_rounds = {cell.id for cell in self._cells if recorder.rounds(cell)}
        self._digests = {key: digest for key, digest in self._of_rounds() if digest}
        self.prepared = {cell.id for cell in self._cells if self._is_prepared(cell)}
        """Ids of cells of which the preparations are recorded."""
        ids = {cell.id for cell in self._cells}
        self.is_checked = any(check.cell in ids for check in recorder.checks())
        """Whether outputs were compared: once, when all check rounds had been run."""
        self.engine_of = next((cell.build for cell in self._cells if self._has_engine(cell)), "")

    @property
    def has_rounds(self) -> bool:
        return bool(self._had_rounds)

    def _of_rounds(self) -> list[tuple[str, str | None]]:
        return [(cell.id, self._recorder.digest(cell)) for cell in self._cells if cell.id in self._had_rounds]

    def _is_prepared(self, cell: Cell) -> bool:
        made = self._recorder.cell(cell).preparations
        return bool(made) and all(one.status is RoundStatus.COMPLETED for one in made)

    def _has_engine(self, cell: Cell) -> bool:
        return any(one.engine for one in self._recorder.rounds(cell))

    def require_same(self, facts: Facts) -> None:
        """Raises DeviceError when the device is not what it was in the rounds so far: then they and those to
        come are not of one thing.
        """
        before = self._record.facts
        if before is None or not self._had_rounds:
            return
        apart = differences(self._traits(before), self._traits(facts), Change.NOTHING).blocking
        if apart:
            raise DeviceError(
                f"{self._device.name} is not what it was when its first rounds ran: {'; '.join(apart)}",
                stage=Stage.EXECUTE,
                fault=Fault.DEVICE,
                cause=OTHER_DEVICE,
                hint=ANEW,
            )

    def with_same_program(self, cells: Sequence[Cell], deployed: Deployed) -> tuple[Cell, ...]:
        """The cells whose program is that of their rounds so far; the others have failed."""
        same = []
        for cell in cells:
            now, before = deployed.program(cell).digest, self._digests.get(cell.id)
            if before is None or now is None or now == before:
                same.append(cell)
                continue
            error = DeviceError(
                f"its program is another one ({now[:12]}) than its first rounds had ({before[:12]})",
                stage=Stage.DEPLOY,
                fault=Fault.USER,
                cause=OTHER_PROGRAM,
                hint=ANEW,
            )
            self._recorder.fail([cell], error)
            self._recorder.deployed([cell], before)  # what its rounds belong to
        return tuple(same)

    def with_closed(self, open_cells: Sequence[Cell]) -> list[Cell]:
        """Those that are to be measured, with those whose rounds are all there: their duels need both sides,
        and the order of rounds is drawn for all of them together.
        """
        by_id = {cell.id: cell for cell in open_cells}
        known = (by_id.get(cell.id, cell) for cell in self._cells)
        return [cell for cell in known if cell.id in by_id or cell.id in self._had_rounds]

    def _traits(self, facts: Facts) -> Fingerprint:
        """What of the device decides its times; all else is the same on both sides."""
        record = replace(self._record, facts=facts)
        results = replace(self._recorder.records(), devices=(record,))
        return fingerprint(Side(results, self._recorder.cell(self._cells[0])))
