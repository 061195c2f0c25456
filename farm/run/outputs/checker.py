"""What is compared with what: on one device before its timed rounds, across devices at the end of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from farm.model.comparison import Change, Duel
from farm.model.device import Device
from farm.model.matrix import Cell
from farm.model.outputs import Against, Check, Compared, OutputCheck, OutputVerdict
from farm.plan.matrix import cells_of
from farm.run.context import RunContext
from farm.run.outputs.every import compare_every, tensors_of, with_every
from farm.run.outputs.files import Outputs, Run, golden_run, outputs_of
from farm.run.outputs.work import compare_runs, said_of

UNSTEADY = "it differs from itself"
GOOD = frozenset({OutputVerdict.EQUAL, OutputVerdict.WITHIN})


async def check_device(context: RunContext, device: Device) -> tuple[OutputCheck, ...]:
    """Compare the outputs of a device's cells, with themselves, with golden files and with each other, and
    keep what came of it: a cell with wrong outputs has failed, and is not timed.

    Raises DeviceError `controller-disk`.
    """
    if context.plan.checking.check is Check.OFF:
        return ()
    checker = _Checker(context)
    sides: dict[str, _Side] = {}
    found: list[OutputCheck] = []
    cells = cells_of(context.plan, device)
    for cell in cells:
        if not context.recorder.is_closed(cell) and cell.id not in context.plan.doubles:
            sides[cell.id], check = await checker.itself(cell)
            found.append(check)
    for side in sides.values():
        found += await checker.golden(side)
        found += await checker.baseline(side, sides)
        found += await checker.variant(side, sides)
    await context.recorder.outputs(cells, tuple(found))
    return tuple(found)


async def check_devices(context: RunContext) -> tuple[OutputCheck, ...]:
    """Compare each cell with the first device's that has good outputs of the same model, variant and build.

    Raises DeviceError `controller-disk`.
    """
    if context.plan.checking.check is Check.OFF:
        return ()
    checker = _Checker(context)
    before = context.recorder.checks()
    bad = {one.cell for one in before if one.verdict is OutputVerdict.WRONG}
    steady = {one.cell for one in before if one.against is Against.ITSELF and one.verdict in GOOD}
    first: dict[tuple[str, str, str], _Side] = {}
    found: list[OutputCheck] = []
    for cell in context.plan.cells:
        if cell.id not in steady or cell.id in bad:
            continue
        side = _Side(cell, checker.outputs(cell), is_steady=True)
        reference = first.setdefault((cell.model.name, cell.variant.name, cell.build), side)
        if reference is not side:
            label = f"device {reference.cell.device.name}"
            found.append(await checker.against(side, reference, Against.DEVICE, label))
    await context.recorder.outputs(context.plan.cells, tuple(found))
    return tuple(found)


def is_worth_telling(check: OutputCheck) -> bool:
    """Whether it is more than what is hoped for, and not what was told of the same cell before."""
    return check.verdict not in GOOD and not check.sentence.endswith(UNSTEADY)


@dataclass(frozen=True)
class _Side:
    """A cell and its outputs, which are the same each time if it `is_steady`."""

    cell: Cell
    outputs: Outputs
    is_steady: bool

    @property
    def problem(self) -> str | None:
        """Why nothing can be compared with it."""
        return self.outputs.problem or (None if self.is_steady else UNSTEADY)


class _Checker:
    """The comparisons of one run."""

    def __init__(self, context: RunContext) -> None:
        self._plan = context.plan
        self._recorder = context.recorder
        self._folder = context.directory.path
        self._deadlines = context.settings.deadlines

    def outputs(self, cell: Cell) -> Outputs:
        return outputs_of(self._recorder.rounds(cell), self._folder)

    async def itself(self, cell: Cell) -> tuple[_Side, OutputCheck]:
        """A cell's runs among each other: random operators give other numbers each time."""
        outputs = self.outputs(cell)
        if outputs.problem is not None:
            outcome = Compared(OutputVerdict.NOT_COMPARABLE, outputs.problem)
            return _Side(cell, outputs, is_steady=False), _check(cell, Against.ITSELF, "", outcome)
        first, *others = outputs.runs
        outcome = Compared(OutputVerdict.EQUAL, "it was run once")
        for number, other in enumerate(others):
            again = await self._compare(other, first, Against.ITSELF)
            if number == 0 or again.verdict not in GOOD:
                outcome = again
            if again.verdict not in GOOD:
                break
        if outcome.verdict in GOOD:
            return _Side(cell, outputs, is_steady=True), _check(cell, Against.ITSELF, "", outcome)
        text = (
            f"{cell.model.name} differs from itself, from one run to the next: it has random operators, or "
            f"reads memory that nobody wrote, and is not compared ({outcome.sentence})"
        )
        outcome = replace(outcome, verdict=OutputVerdict.NOT_COMPARABLE, sentence=text)
        return _Side(cell, outputs, is_steady=False), _check(cell, Against.ITSELF, "", outcome)

    async def golden(self, side: _Side) -> list[OutputCheck]:
        golden = side.cell.model.check.golden if side.cell.model.check else None
        if golden is None:
            return []
        label = f"the golden file {golden.name}"
        outcome = _not(side.problem) or await self._compare(
            side.outputs.runs[0], golden_run(golden), Against.GOLDEN, is_strict=True
        )
        return [_check(side.cell, Against.GOLDEN, golden.name, said_of(label, outcome))]

    async def baseline(self, side: _Side, sides: Mapping[str, _Side]) -> list[OutputCheck]:
        """A candidate of a duel with its baseline. Another build must give the same; another model, or other
        options, need not.
        """
        duel = self._duel(side.cell)
        if duel is None or duel.change is Change.VARIANT:
            return []
        reference = sides.get(duel.baseline)
        label = f"the baseline {duel.baseline}"
        is_strict = duel.change is not Change.MODEL
        if not is_strict and (side.problem or reference is None or reference.problem):
            return []  # nothing was promised
        if reference is None or reference.problem is not None:
            outcome = _not(f"the baseline: {reference.problem if reference else 'it was not run'}")
            assert outcome is not None
            return [_check(side.cell, Against.BASELINE, duel.baseline, said_of(label, outcome))]
        return [await self.against(side, reference, Against.BASELINE, label, is_strict=is_strict)]

    async def variant(self, side: _Side, sides: Mapping[str, _Side]) -> list[OutputCheck]:
        """Another variant of the same model and build with the first one, or with its own baseline."""
        duel = self._duel(side.cell)
        same = [
            one
            for one in sides.values()
            if (one.cell.model.name, one.cell.build) == (side.cell.model.name, side.cell.build)
            and one.problem is None
        ]
        if duel is not None and duel.change is Change.VARIANT:
            same = [one for one in same if one.cell.id == duel.baseline]
        if not same or same[0].cell.id == side.cell.id or side.problem is not None:
            return []
        label = f"variant {same[0].cell.variant.name}"
        return [await self.against(side, same[0], Against.VARIANT, label)]

    async def against(
        self, side: _Side, reference: _Side, against: Against, label: str, *, is_strict: bool = False
    ) -> OutputCheck:
        """Two cells. Where only the candidate differs from itself, it is not the model that does: each of
        its runs must agree with the reference.
        """
        outcome = _not(side.outputs.problem) or await self._worst(side, reference, against, is_strict)
        check = _check(side.cell, against, reference.cell.id, said_of(label, outcome))
        if self._plan.checking.check is not Check.ALL or check.verdict is OutputVerdict.NOT_COMPARABLE:
            return check
        ours, theirs = (
            tensors_of(self._recorder.rounds(one.cell), self._folder) for one in (side, reference)
        )
        stated = self._plan.checking.tolerances
        return with_every(check, await compare_every(ours, theirs, stated, self._deadlines))

    async def _worst(self, side: _Side, reference: _Side, against: Against, is_strict: bool) -> Compared:
        if not side.is_steady and not is_strict:
            return Compared(OutputVerdict.NOT_COMPARABLE, UNSTEADY)
        for run in side.outputs.runs if not side.is_steady else side.outputs.runs[:1]:
            outcome = await self._compare(run, reference.outputs.runs[0], against, is_strict=is_strict)
            if outcome.verdict not in GOOD:
                break
        if side.is_steady or outcome.verdict not in GOOD:
            return outcome
        return Compared(OutputVerdict.NOT_COMPARABLE, UNSTEADY)

    def _duel(self, cell: Cell) -> Duel | None:
        return self._plan.duel_of.get(cell.id)

    async def _compare(
        self, candidate: Run, reference: Run, against: Against, *, is_strict: bool = False
    ) -> Compared:
        return await compare_runs(
            candidate,
            reference,
            against,
            is_strict=is_strict,
            stated=self._plan.checking.tolerances,
            deadlines=self._deadlines,
        )


def _not(problem: str | None) -> Compared | None:
    return None if problem is None else Compared(OutputVerdict.NOT_COMPARABLE, problem)


def _check(cell: Cell, against: Against, reference: str, outcome: Compared) -> OutputCheck:
    return OutputCheck(
        cell.device.name, cell.id, against, reference, outcome.verdict, outcome.sentence, outcome.tensors
    )
