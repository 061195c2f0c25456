"""The rounds of one device, phase by phase: what comes next, what is repeated, what is confirmed.

It knows what was done: after a restart of the device it is gone through again, and goes on where it was. What
a former process had done of the run is in its journal, and known from the beginning.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from farm.analysis.quality import needs_repeat
from farm.compare.fingerprint import Side, differences, fingerprint
from farm.model.comparison import Phase, PhasePlan
from farm.model.matrix import Cell, Plan, RoundKind
from farm.model.run import RoundResult
from farm.plan.estimate import Span
from farm.plan.schedule import Block, Step, blocks, schedule
from farm.run.execute import round_name
from farm.run.measure.pace import Pace
from farm.run.measure.sampler import Screened, decide, lengthened, notes_of
from farm.run.record import Recorder

MOST_REPEATED = 1 / 3
"""The part of a device's timed rounds that may be repeated for their quality."""

Run = Callable[[Step], Awaitable[None]]
"""Runs a step and has it recorded; `Measuring.done` is told what it came to."""
End = Callable[[Cell], Awaitable[None]]
"""Closes a cell that gets no more rounds."""
BeforeTimes = Callable[[], Awaitable[None]]
"""What is done when the check rounds are over and no timed one was run."""
Key = tuple[str, str]
"""Id of a cell and name of a round."""


@dataclass(frozen=True)
class Watch:
    """What measuring needs from around it: seconds by some clock, and where notes for people go."""

    clock: Callable[[], float]
    note: Callable[[str], None]


class Measuring:
    """Rounds of `cells` (at least one), prepared on their device; `go` is called again after a restart."""

    def __init__(self, plan: Plan, cells: Sequence[Cell], recorder: Recorder, watch: Watch) -> None:
        self._plan = plan
        self._cells = {cell.id: cell for cell in cells}
        duels = plan.duels_on.get(cells[0].device.name, ())
        self._duels = tuple(d for d in duels if {d.baseline, d.candidate} & self._cells.keys())
        self._dueling = {cell for duel in self._duels for cell in (duel.baseline, duel.candidate)}
        self._earlier = plan.earlier_of
        self._recorder = recorder
        self._watch = watch
        self._began = watch.clock()
        self._pace = Pace()
        self._order = schedule(cells, plan.seed, self._duels, later=self._earlier)
        self._blocks: dict[Phase, tuple[Block, ...]] = {Phase.SCREEN: self._order.blocks}
        self._repeats: dict[Phase, Block] = {}
        self._judged: Counter[Phase] = Counter()
        self._lengthened: PhasePlan | None = None
        self._decided: PhasePlan | None = None
        self._done: dict[Key, RoundResult] = {}
        self._left = Counter(cell.id for cell, _ in self._order.steps)
        self._recall()

    def _recall(self) -> None:
        """What is recorded already: all of it is used, and the time that it took is off the budget."""
        for key, cell in self._cells.items():
            for result in self._recorder.rounds(cell):
                self._done[key, round_name(result)] = result
                self._left[key] -= 1
                if result.kind is RoundKind.TIMED and result.wall_s is not None:
                    self._pace.note(key, result.wall_s)
                    self._began -= result.wall_s

    # ------------------------------------------------------------------------- the way through

    async def go(self, run: Run, end: End, before_times: BeforeTimes) -> None:
        """Run all that was not run yet."""
        await self._steps(self._order.first, run)
        await before_times()
        await self._phase(Phase.SCREEN, run)
        if self._lengthened is None:
            await self._lengthen()
            await self._phase(Phase.SCREEN, run)
        if self._decided is None:
            await self._decide()
        await self._close_finished(end)
        await self._phase(Phase.CONFIRM, run)
        await self._close_finished(end)
        await self._steps(self._order.last, run)
        await self._close_finished(end)

    async def _phase(self, phase: Phase, run: Run) -> None:
        """All blocks as far as the budget goes, then the rounds whose quality asks for another one. Called
        again, it goes on with the blocks that came since.
        """
        before = self._decided_before(phase)
        if before is not None and before.cut:
            self._leave_out(phase, self._first_open(phase))
        for number, block in enumerate(self._blocks[phase]):
            if self._is_over_budget(block) and (number or phase is Phase.CONFIRM):
                await self._cut(phase, number)
                break
            await self._steps(block, run)
        if phase not in self._repeats or self._judged[phase] < len(self._blocks[phase]):
            again = self._to_repeat(phase)
            self._repeats[phase] = (*self._repeats.get(phase, ()), *again)
            self._judged[phase] = len(self._blocks[phase])
            self._left.update(cell.id for cell, _ in again)
        await self._steps(self._repeats[phase], run)

    async def _steps(self, steps: Iterable[Step], run: Run) -> None:
        for step in steps:
            if not self._is_over(step):
                began = self._watch.clock()
                await run(step)
                if step[1].kind is RoundKind.TIMED:
                    self._pace.note(step[0].id, self._watch.clock() - began)

    def done(self, step: Step, result: RoundResult) -> bool:
        """Keep what a step came to; True where its cell gets no more rounds for sure."""
        cell = step[0].id
        self._done[_key(step)] = result
        self._left[cell] -= 1
        return not self._left[cell] and not self._may_get_more(cell) and not needs_repeat(result)

    async def _close_finished(self, end: End) -> None:
        has_any = {cell for cell, _ in self._done}
        for key, cell in self._cells.items():
            is_over = not self._left[key] and not self._may_get_more(key)
            if is_over and key in has_any and not self._recorder.is_closed(cell):
                await end(cell)

    def _may_get_more(self, cell: str) -> bool:
        """Whether more rounds than planned may follow: until the screen is over, and of what is confirmed
        until it is known what is repeated.
        """
        if self._decided is None:
            return cell in self._dueling or self._plan.sampled.is_auto
        is_confirmed = any(one.rounds and cell in one.cells for one in self._decided.allotments)
        return is_confirmed and Phase.CONFIRM not in self._repeats

    def _is_over(self, step: Step) -> bool:
        return _key(step) in self._done or self._recorder.is_closed(step[0])

    def _decided_before(self, phase: Phase) -> PhasePlan | None:
        """By a former process of this run, or before a restart."""
        return self._recorder.decided(next(iter(self._cells.values())).device.name, phase)

    # ------------------------------------------------------------------------- what is decided

    def _apart(self) -> dict[str, str]:
        """What changed of a device since the run of a baseline, by id of the baseline."""
        found: dict[str, str] = {}
        records = self._recorder.records()
        for duel in self._duels:
            earlier, candidate = self._earlier.get(duel.baseline), self._cells.get(duel.candidate)
            if earlier and candidate:
                now = Side(records, self._recorder.cell(candidate))
                apart = differences(dict(earlier.fingerprint), fingerprint(now), duel.change).blocking
                found |= {duel.baseline: "; ".join(apart)} if apart else {}
        return found

    def _screened(self) -> Screened:
        """What is known so far."""
        return Screened(
            next(iter(self._cells.values())).device.name,
            {key: self._recorder.cell(cell) for key, cell in self._cells.items()},
            self._duels,
            self._earlier,
            self._plan.sampled,
            self._plan.comparing,
            self._pace.seconds_of,
            self._left_s(),
            self._apart(),
        )

    async def _lengthen(self) -> None:
        """Once, when the pilot is over: it goes on for what it asks very many fresh rounds of."""
        made = await self._planned(Phase.SCREEN, lengthened)
        self._blocks[Phase.SCREEN] += self._allotted(made, first=len(self._order.blocks))
        self._lengthened = made

    async def _decide(self) -> None:
        """Once, when the screen is over: how many fresh rounds follow."""
        made = await self._planned(Phase.CONFIRM, decide)
        self._blocks[Phase.CONFIRM] = self._allotted(made)
        self._decided = made

    async def _planned(self, phase: Phase, plan: Callable[[Screened], PhasePlan]) -> PhasePlan:
        """What a former process decided, or what is decided now: on disk before the first round of it."""
        if (known := self._decided_before(phase)) is not None:
            return known
        made = await asyncio.to_thread(plan, self._screened())
        if made.allotments:
            await self._recorder.phase(made)
            for note in notes_of(made):
                self._watch.note(note)
        return made

    def _allotted(self, made: PhasePlan, first: int = 0) -> tuple[Block, ...]:
        """The rounds that were decided on, `first` being the number of those that are there already."""
        counts: dict[str, int] = {}
        for one in made.allotments:
            counts.update({cell: max(counts.get(cell, 0), one.rounds) for cell in one.cells if one.rounds})
        counts = {cell: first + number for cell, number in counts.items()}
        chosen = {one.cells for one in made.allotments if one.rounds}
        duels = [duel for duel in self._duels if (duel.baseline, duel.candidate) in chosen]
        fresh = blocks(tuple(self._cells.values()), counts, duels, made.phase, self._plan.seed, first)
        self._left.update(cell.id for block in fresh for cell, _ in block)
        return fresh

    def _to_repeat(self, phase: Phase) -> Block:
        """The rounds of a phase that are run once more, in their order, with the other side of each duel."""
        timed = sum(len(block) for found in self._blocks.values() for block in found)
        room = math.ceil(MOST_REPEATED * timed) - sum(map(len, self._repeats.values()))
        found: list[Step] = []
        for block in self._blocks[phase][self._judged[phase] :]:
            again: set[str] = set()
            for step in block:
                result = self._done.get(_key(step))
                if result is not None and needs_repeat(result):
                    group = self._with_partners(step[0].id, block) - again
                    if len(found) + len(again) + len(group) <= room:
                        again |= group
            found += [(cell, replace(one, attempt=1)) for cell, one in block if cell.id in again]
        return tuple(found)

    def _with_partners(self, cell: str, block: Block) -> set[str]:
        pairs = ((duel.baseline, duel.candidate) for duel in self._duels)
        partners = {other for pair in pairs if cell in pair for other in pair}
        return {cell} | (partners & {one.id for one, _ in block})

    # ------------------------------------------------------------------------- the budget

    def _left_s(self) -> float | None:
        budget_s = self._plan.sampled.budget_s
        return None if budget_s is None else budget_s - (self._watch.clock() - self._began)

    def _is_over_budget(self, block: Block) -> bool:
        left_s = self._left_s()
        todo = [step[0].id for step in block if not self._is_over(step)]
        return left_s is not None and bool(todo) and sum(map(self._pace.seconds_of, todo)) > left_s

    async def _cut(self, phase: Phase, number: int) -> None:
        """Leave out the blocks from this one on. The time decides that, not what was measured."""
        dropped = self._leave_out(phase, number)
        budget = f"the budget of {self._plan.sampled.budget_s or 0:g} s"
        why = f"{budget} was over after {number} of {number + len(dropped)} blocks of rounds"
        name = dropped[0][0][0].device.name
        decided = self._decided if phase is Phase.CONFIRM else self._decided_before(phase)
        await self._recorder.phase(replace(decided or PhasePlan(name, phase), cut=why))
        self._watch.note(f"{phase.value}: {why}")

    def _leave_out(self, phase: Phase, number: int) -> tuple[Block, ...]:
        """The blocks from this one on."""
        dropped = self._blocks[phase][number:]
        self._blocks[phase] = self._blocks[phase][:number]
        self._left.subtract(cell.id for block in dropped for cell, _ in block)
        return dropped

    def _first_open(self, phase: Phase) -> int:
        """The number of the first block of which not all was run."""
        blocks_ = self._blocks[phase]
        is_open = (n for n, block in enumerate(blocks_) if not all(map(self._is_over, block)))
        return next(is_open, len(blocks_))

    # ------------------------------------------------------------------------- how far it is

    @property
    def count(self) -> tuple[int, int]:
        """How many rounds were run, and how many there are as far as that is known."""
        return len(self._done), len(self._done) + sum(self._still().values())

    def _still(self) -> Mapping[str, int]:
        """Rounds that are still to run, by id of their cell."""
        return {
            key: number
            for key, number in self._left.items()
            if number > 0 and not self._recorder.is_closed(self._cells[key])
        }

    @property
    def left(self) -> Span | None:
        """How long it takes from now; None before the first timed round, and where a pilot will tell it."""
        found = self._pace.left(self._still())
        budget_left_s = self._left_s()
        if found is None or self._decided is not None:
            return found
        if self._plan.sampled.is_auto and budget_left_s is None:
            return None
        if budget_left_s is not None and (self._plan.sampled.is_auto or self._dueling):
            return Span(min(found.low_s, budget_left_s), max(found.low_s, budget_left_s))
        more = self._pace.left(dict.fromkeys(self._dueling, self._plan.sampled.fresh_pairs))
        return Span(found.low_s, found.high_s + more.high_s) if more else found


def _key(step: Step) -> Key:
    return step[0].id, round_name(step[1])
