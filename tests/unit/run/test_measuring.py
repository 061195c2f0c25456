"""How many rounds the cells of a device get: phases, pairs, repetitions, the budget. No device is needed for it."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest

from farm.analysis.sample_size import FEWEST_FRESH_PAIRS
from farm.model.artifact import Artifact
from farm.model.comparison import Change, Comparing, Duel, Earlier, Phase, Verdict
from farm.model.device import Address, Device, Facts, Runtime, RuntimeKind
from farm.model.matrix import Cell, Model, Plan, Round, RoundKind, Sampling
from farm.model.measurement import UNKNOWN_FLAG
from farm.model.options import Variant
from farm.model.run import CellStatus, Quality, Results, RoundResult, RoundStatus, RunStatus
from farm.options import parse
from farm.plan.schedule import Step
from farm.run.measure.measuring import Measuring, Watch
from farm.run.planned import Origin
from farm.run.record import Recorder
from farm.store.runs import RunDirectory
from tests.unit.plans import plan_of

DEVICE = Device("d", Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL))
MODEL = Model("m", Artifact("m.mge", "0" * 64, 10, Path("m.mge")))
AB = (Duel("d/m/a", "d/m/b", Change.VARIANT),)


class PowerCutError(Exception):
    """The device is restarted during a round."""


def plan(
    names: str = "ab", *, duels: tuple[Duel, ...] = AB, sampling: Sampling | None = None, options: str = ""
) -> Plan:
    sampling = sampling or Sampling(10)
    variants = [Variant(name, parse(options.split())) for name in names]
    made = plan_of([DEVICE], [MODEL], variants, rounds=sampling.rounds, seed=3)
    return replace(made, duels=duels, sampling=sampling, comparing=Comparing(0.03))


@dataclass
class Bench:
    """Measures a plan with made-up times: `ms` by cell and round, each round takes `seconds`."""

    plan: Plan
    folder: Path
    ms: Callable[[Cell, Round], float | None] = lambda _cell, _round: 2.0
    quality: Callable[[Cell, Round], Quality] = lambda _cell, _round: Quality.OK
    seconds: float = 1.0
    now: float = 0.0
    order: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cuts: set[int] = field(default_factory=set)
    closed_early: list[str] = field(default_factory=list)
    compared_after: int = -1
    facts: Facts = Facts()
    causes: dict[RoundKind, str] = field(default_factory=dict)

    async def run(self) -> Results:
        recorder = await Recorder.open(RunDirectory.create(self.folder, "r"), self.plan, Origin("1", (), ""))
        self.recorder = recorder
        recorder.device("d", facts=self.facts)
        self.measuring = Measuring(
            self.plan, self.plan.cells, recorder, Watch(lambda: self.now, self.notes.append)
        )
        while True:
            try:
                await self.measuring.go(self._round, self._end, self._before_times)
                break
            except PowerCutError:
                continue
        return await recorder.end(RunStatus.COMPLETED, "")

    async def _round(self, step: Step) -> None:
        cell, one = step
        self.now += self.seconds
        self.order.append(f"{cell.id.removeprefix('d/m/')} {one.phase.value} {one.index} {one.attempt}")
        if len(self.order) in self.cuts:
            raise PowerCutError
        cause = self.causes.get(one.kind)
        value = None if cause else self.ms(cell, one)
        result = RoundResult(
            one.kind,
            one.index,
            RoundStatus.COMPLETED if value else RoundStatus.FAILED,
            self.quality(cell, one),
            e2e_ms=(value or 0.0,) * 10,
            value_ms=value,
            phase=one.phase,
            attempt=one.attempt,
            cause=cause,
        )
        is_last = self.measuring.done(step, result)
        await self.recorder.round(cell, result, reproduce="", is_last=is_last)
        if self.recorder.is_closed(cell):
            self.closed_early.append(cell.id)

    async def _before_times(self) -> None:
        self.compared_after = len(self.order)

    async def _end(self, cell: Cell) -> None:
        await self.recorder.complete(cell, reproduce="")

    def counts(self, cell: str) -> Counter[str]:
        return Counter(line.split()[1] for line in self.order if line.split()[0] == cell)


def noisy(factor: float = 1.0, spread: float = 0.01) -> Callable[[Cell, Round], float]:
    """`b` takes `factor` times as long as the others; each round has noise of its own."""

    def ms(cell: Cell, one: Round) -> float:
        noise = Random(f"{cell.id}/{one.phase}/{one.index}/{one.attempt}").gauss(0.0, spread)
        return 2.0 * (factor if cell.variant.name == "b" else 1.0) * math.exp(noise)

    return ms


async def test_a_screen_that_settles_it_is_not_confirmed(tmp_path: Path) -> None:
    bench = Bench(plan(), tmp_path, noisy(1.0, 0.005))
    results = await bench.run()
    assert bench.counts("a") == bench.counts("b") == {"screen": 10}
    assert [one.verdict for one in results.comparisons] == [Verdict.UNCHANGED]
    assert results.phases[0].allotments[0].rounds == 0
    assert results.sampling == Sampling(10)


@pytest.mark.parametrize(("rounds", "fresh"), [(3, 20), (24, 24)])
async def test_what_it_does_not_settle_gets_fresh_pairs_fixed_before_the_first_one(
    tmp_path: Path, rounds: int, fresh: int
) -> None:
    bench = Bench(plan(sampling=Sampling(rounds)), tmp_path, noisy(1.1))
    results = await bench.run()
    assert bench.counts("a") == bench.counts("b") == {"screen": rounds, "confirm": fresh}
    assert [one.verdict for one in results.comparisons] == [Verdict.SLOWER]
    journal = (tmp_path / "r" / "journal.jsonl").read_text("utf-8").splitlines()
    (decided,) = (number for number, line in enumerate(journal) if '"event":"phase"' in line)
    first = next(
        number for number, line in enumerate(journal) if '"phase":"confirm"' in line and "value_ms" in line
    )
    assert decided < first
    assert f'"rounds":{fresh}' in journal[decided]


async def test_both_rounds_of_a_pair_run_back_to_back_in_both_phases(tmp_path: Path) -> None:
    bench = Bench(plan("abcde"), tmp_path, noisy(1.1))
    await bench.run()
    places = {line: number for number, line in enumerate(bench.order)}
    for phase in ("screen", "confirm"):
        for index in range(10):
            assert abs(places[f"a {phase} {index} 0"] - places[f"b {phase} {index} 0"]) == 1


async def test_with_auto_the_pilot_says_how_many_pairs_follow(tmp_path: Path) -> None:
    quiet, loud = (
        Bench(plan(sampling=Sampling(10, is_auto=True)), tmp_path / name, noisy(1.05, spread))
        for name, spread in (("quiet", 0.005), ("loud", 0.04))
    )
    for one in (quiet, loud):
        one.folder.mkdir()
        results = await one.run()
        (allotment,) = results.phases[-1].allotments
        assert one.counts("a")["confirm"] == allotment.rounds == allotment.wanted
    assert quiet.counts("a")["screen"] == 10
    assert quiet.counts("a")["confirm"] < loud.counts("a")["confirm"]


def two_odd_pairs(cell: Cell, one: Round) -> float:
    """A neighbour had the core in two of the first ten rounds of `b`."""
    odd = 1.5 if cell.variant.name == "b" and one.phase is Phase.SCREEN and one.index in {2, 7} else 1.0
    return odd * noisy(1.06, 0.005)(cell, one)


@pytest.mark.parametrize("cut", [None, 15, 45, 90])
async def test_a_pilot_that_asks_for_very_many_rounds_is_made_longer_first(
    tmp_path: Path, cut: int | None
) -> None:
    """Ten pairs ask for 2,000 after two odd ones; forty know better. A device that restarts changes nothing."""
    bench = Bench(
        plan(sampling=Sampling(10, is_auto=True)), tmp_path, two_odd_pairs, cuts={cut} if cut else set()
    )
    results = await bench.run()
    assert [one.phase for one in results.phases] == [Phase.SCREEN, Phase.CONFIRM]
    assert "fresh pairs" in results.phases[0].allotments[0].reason
    assert [one.verdict for one in results.comparisons] == [Verdict.SLOWER]
    assert {len(cell.rounds) for cell in results.cells} == {40 + FEWEST_FRESH_PAIRS}
    assert {cell.status for cell in results.cells} == {CellStatus.COMPLETED}
    assert any("a longer pilot for 1 with much noise, 60 rounds in all" in note for note in bench.notes)


async def test_a_budget_without_time_for_very_many_rounds_lengthens_no_pilot(tmp_path: Path) -> None:
    sampling = Sampling(10, is_auto=True, budget_s=110.0)
    bench = Bench(plan(sampling=sampling), tmp_path, two_odd_pairs)
    await bench.run()
    assert bench.counts("a")["screen"] == 10
    assert 0 < bench.counts("a")["confirm"] < 100


async def test_with_auto_a_cell_alone_is_told_by_fresh_rounds_only(tmp_path: Path) -> None:
    """As many as its median asks for; those of the pilot do not count in it."""

    def ms(cell: Cell, one: Round) -> float:
        return (2.0 if one.phase is Phase.SCREEN else 4.0) + 0.01 * one.index

    bench = Bench(plan("a", duels=(), sampling=Sampling(10, is_auto=True, precision=0.02)), tmp_path, ms)
    results = await bench.run()
    (cell,) = results.cells
    assert cell.summary is not None
    assert cell.summary.median_ms > 4
    assert cell.summary.rounds == bench.counts("a")["confirm"] == results.phases[0].allotments[0].rounds > 0
    assert cell.status is CellStatus.COMPLETED


async def test_the_budget_confirms_the_cheapest_whole_and_says_what_it_has_no_time_for(
    tmp_path: Path,
) -> None:
    """Two duels look changed; there is time for one and a bit."""
    duels = (*AB, Duel("d/m/c", "d/m/d", Change.VARIANT))
    made = plan("abcd", duels=duels, sampling=Sampling(10, budget_s=90))

    def ms(cell: Cell, one: Round) -> float:
        return 2.2 if cell.variant.name in "bd" else 2.0 + 0.001 * one.index

    bench = Bench(made, tmp_path, ms)
    results = await bench.run()
    assert bench.now <= 90
    assert [one.rounds for one in results.phases[0].allotments] == [20, 0]
    assert {one.candidate: one.verdict for one in results.comparisons} == {
        "d/m/b": Verdict.SLOWER,
        "d/m/d": Verdict.INCONCLUSIVE,
    }
    assert "the budget of 90 s has time for 0 pairs" in results.phases[0].allotments[1].reason
    assert any("has time for 0 pairs" in note for note in bench.notes)
    assert all(cell.status is CellStatus.COMPLETED for cell in results.cells)


async def test_a_budget_that_is_over_in_the_screen_leaves_whole_pairs(tmp_path: Path) -> None:
    bench = Bench(plan(sampling=Sampling(10, budget_s=9)), tmp_path, noisy(1.1))
    results = await bench.run()
    assert bench.counts("a") == bench.counts("b") == {"screen": 4}
    assert results.phases[0].cut == "the budget of 9 s was over after 4 of 10 blocks of rounds"
    assert [one.verdict for one in results.comparisons] != [Verdict.UNCHANGED]


async def test_the_first_rounds_run_however_small_the_budget_is(tmp_path: Path) -> None:
    bench = Bench(plan(sampling=Sampling(10, budget_s=0.001)), tmp_path)
    await bench.run()
    assert bench.counts("a") == bench.counts("b") == {"screen": 1}


async def test_they_run_also_where_the_checks_of_outputs_took_all_of_it(tmp_path: Path) -> None:
    made = plan(sampling=Sampling(10, budget_s=1.5))
    check = Round(RoundKind.CHECK, 0, parse([]))
    cells = tuple(replace(cell, rounds=(*cell.rounds, check)) for cell in made.cells)
    bench = Bench(replace(made, cells=cells), tmp_path)
    await bench.run()
    assert bench.counts("a") == {"screen": 2}  # the check round, and one that is timed


async def test_a_restart_in_the_middle_of_a_pair_loses_one_round(tmp_path: Path) -> None:
    """In each phase; what was decided stays decided."""
    bench = Bench(plan(), tmp_path, noisy(1.1), cuts={2, 6, 24, 25})
    results = await bench.run()
    assert len(bench.order) == 60 + 4
    assert len(set(bench.order)) == 60
    assert [len(cell.rounds) for cell in results.cells] == [30, 30]
    assert len(results.phases) == 1
    journal = (tmp_path / "r" / "journal.jsonl").read_text("utf-8")
    assert journal.count('"event":"phase"') == 1


def bad_first(cell: Cell, one: Round) -> Quality:
    is_bad = cell.variant.name == "b" and one.index in (2, 5) and not one.attempt
    return Quality.THROTTLED if is_bad else Quality.OK


async def test_a_pair_with_a_bad_round_is_repeated_whole_and_the_repetition_counts(tmp_path: Path) -> None:
    bench = Bench(plan(), tmp_path, noisy(1.0, 0.005), bad_first)
    results = await bench.run()
    again = [line for line in bench.order if line.endswith(" 1")]
    assert sorted(again) == ["a screen 2 1", "a screen 5 1", "b screen 2 1", "b screen 5 1"]
    (one,) = results.comparisons
    assert (one.verdict, one.pairs_dropped) == (Verdict.UNCHANGED, 0)


async def test_a_restart_in_a_repetition_repeats_nothing_else(tmp_path: Path) -> None:
    bench = Bench(plan(), tmp_path, noisy(1.0, 0.005), lambda _cell, _one: Quality.BUSY, cuts={23})
    await bench.run()
    again = [line for line in bench.order if line.endswith(" 1")]
    assert (len(again), len(set(again))) == (7, 6)


async def test_no_more_than_a_third_of_the_rounds_is_repeated_and_each_once(tmp_path: Path) -> None:
    bench = Bench(plan(), tmp_path, noisy(), lambda _cell, _one: Quality.BUSY)
    results = await bench.run()
    again = [line for line in bench.order if line.endswith(" 1")]
    assert len(again) == 6
    assert [one.verdict for one in results.comparisons] == [Verdict.INVALID]
    assert all(cell.status is CellStatus.COMPLETED for cell in results.cells)


async def test_the_other_side_of_a_cell_that_fails_goes_on_and_is_not_confirmed(tmp_path: Path) -> None:
    def ms(cell: Cell, one: Round) -> float | None:
        return None if cell.variant.name == "b" and one.index == 1 else 2.0

    bench = Bench(plan(), tmp_path, ms)
    results = await bench.run()
    assert bench.counts("a") == {"screen": 10}
    assert bench.counts("b") == {"screen": 2}
    assert [cell.status for cell in results.cells] == [CellStatus.COMPLETED, CellStatus.FAILED]
    assert [one.verdict for one in results.comparisons] == [Verdict.INVALID]
    assert "d/m/b: failed" in results.phases[0].allotments[0].reason


async def test_what_is_compared_with_two_has_the_rounds_of_the_longer_confirmation(tmp_path: Path) -> None:
    """The shared rounds beyond those of the shorter one are no lost pairs of it."""
    duels = (Duel("d/m/a", "d/m/b", Change.VARIANT), Duel("d/m/a", "d/m/c", Change.VARIANT))
    bench = Bench(plan("abc", duels=duels), tmp_path, noisy(1.1, 0.005))
    results = await bench.run()
    assert bench.counts("c") == {"screen": 10}
    assert bench.counts("a") == bench.counts("b") == {"screen": 10, "confirm": 20}
    assert {one.candidate: (one.verdict, one.pairs_dropped) for one in results.comparisons} == {
        "d/m/b": (Verdict.SLOWER, 0),
        "d/m/c": (Verdict.UNCHANGED, 0),
    }


async def test_a_cell_without_a_duel_is_closed_with_its_last_round(tmp_path: Path) -> None:
    """So an interruption later leaves it completed; one that may be confirmed is open until that is known."""
    bench = Bench(plan("abc"), tmp_path, noisy(1.1))
    await bench.run()
    assert bench.closed_early.count("d/m/c") == 1
    assert bench.order.index("c screen 9 0") < bench.order.index("a confirm 0 0")


async def test_an_earlier_run_is_measured_again_only_where_it_looks_changed(tmp_path: Path) -> None:
    duels = (replace(AB[0], since="old"), Duel("d/m/c", "d/m/e", Change.BUILD, since="old"))
    before_ms = tuple(2.0 + 0.001 * number for number in range(6))
    earlier = (Earlier("d/m/a", "old", before_ms), Earlier("d/m/c", "old", before_ms))
    made = replace(plan("abce", duels=duels, sampling=Sampling(6)), earlier=earlier)
    bench = Bench(made, tmp_path, noisy(1.1, 0.004))
    results = await bench.run()
    assert bench.counts("a") == {"confirm": 20}
    assert bench.counts("b") == {"screen": 6, "confirm": 20}
    assert bench.counts("c") == {}
    assert bench.counts("e") == {"screen": 6}
    assert [cell.id for cell in results.cells] == ["d/m/a", "d/m/b", "d/m/e"]
    assert results.comparisons[0].verdict is Verdict.SLOWER
    assert results.comparisons[1].verdict is Verdict.UNCHANGED


@pytest.mark.parametrize(("then", "now"), [(3, 10), (10, 3), (3, 3)])
async def test_a_night_of_few_rounds_settles_nothing_and_is_measured_again(
    tmp_path: Path, then: int, now: int
) -> None:
    before_ms = tuple(2.0 + 0.001 * number for number in range(then))
    duels = (replace(AB[0], since="old"),)
    made = replace(
        plan("ab", duels=duels, sampling=Sampling(now)), earlier=(Earlier("d/m/a", "old", before_ms),)
    )
    bench = Bench(made, tmp_path, noisy(1.0, 0.001))
    results = await bench.run()
    assert bench.counts("a") == {"confirm": 20}
    assert bench.counts("b") == {"screen": now, "confirm": 20}
    assert results.comparisons[0].verdict is Verdict.UNCHANGED


async def test_what_changed_on_the_device_since_an_earlier_run_is_no_reason_to_compare_nothing(
    tmp_path: Path,
) -> None:
    """Another kernel, say: the two nights cannot be compared, what is measured again in one lease can."""
    before_ms = tuple(2.0 + 0.001 * number for number in range(6))
    earlier = Earlier("d/m/a", "old", before_ms, (("kernel", "6.1.43"),))
    duels = (Duel("d/m/a", "d/m/b", Change.BUILD, since="old"),)
    made = replace(plan("ab", duels=duels, sampling=Sampling(6)), earlier=(earlier,))
    bench = Bench(made, tmp_path, noisy(1.0, 0.004))
    bench.facts = Facts(kernel="6.1.75")
    results = await bench.run()
    assert bench.counts("a") == {"confirm": 20}
    assert results.comparisons[0].verdict is Verdict.UNCHANGED
    (why,) = (one.reason for one in results.phases[0].allotments)
    assert why.startswith("not as in old: kernel: 6.1.43 and 6.1.75")


async def test_how_long_it_takes_is_known_after_the_first_round(tmp_path: Path) -> None:
    bench = Bench(plan("abc", duels=()), tmp_path)
    seen = []

    async def run(step: Step) -> None:
        seen.append((bench.measuring.count, bench.measuring.left))
        await Bench._round(bench, step)

    bench._round = run  # type: ignore[method-assign]
    await bench.run()
    assert seen[0] == ((0, 30), None)
    count, left = seen[20]
    assert count == (20, 30)
    assert left is not None
    assert left.low_s < 10 < left.high_s < 12


async def test_other_kinds_of_rounds_stand_around_the_timed_ones(tmp_path: Path) -> None:
    bench = Bench(plan("ab", options="--profile p.json"), tmp_path, noisy(1.1))
    results = await bench.run()
    kinds = [one.kind for one in results.cells[0].rounds]
    assert kinds == [RoundKind.TIMED] * 30 + [RoundKind.PROFILE] * 3
    assert bench.compared_after == 0


@pytest.mark.parametrize("lost", [{0}, {1}, {0, 2}, {0, 1, 2}], ids=str)
async def test_a_profile_that_fails_costs_nothing_but_itself_while_there_is_another(
    tmp_path: Path, lost: set[int]
) -> None:
    def ms(cell: Cell, one: Round) -> float | None:
        is_lost = one.kind is RoundKind.PROFILE and one.index in lost and cell.variant.name == "a"
        return None if is_lost else 2.0

    bench = Bench(plan("ab", duels=(), options="--profile p.json --bin-out-dump out"), tmp_path, ms)
    a, b = (await bench.run()).cells
    assert [one.kind for one in a.rounds].count(RoundKind.PROFILE) == 3
    assert a.rounds[-1].kind is RoundKind.DUMP
    assert (b.status, b.notes) == (CellStatus.COMPLETED, ())
    assert a.summary is not None
    if len(lost) == 3:
        assert a.status is CellStatus.FAILED
    else:
        assert a.status is CellStatus.COMPLETED
        assert f"{len(lost)} of 3 profile rounds failed" in a.notes[0]


async def test_a_program_without_profiles_is_asked_for_one_once(tmp_path: Path) -> None:
    bench = Bench(plan("a", duels=(), options="--profile p.json"), tmp_path)
    bench.causes = {RoundKind.PROFILE: UNKNOWN_FLAG}
    (cell,) = (await bench.run()).cells
    assert [one.kind for one in cell.rounds].count(RoundKind.PROFILE) == 1
    assert cell.status is CellStatus.SKIPPED


async def test_outputs_are_compared_when_all_were_checked_and_nothing_was_timed(tmp_path: Path) -> None:
    made = plan("ab")
    check = Round(RoundKind.CHECK, 0, parse([]))
    cells = tuple(replace(cell, rounds=(*cell.rounds, check)) for cell in made.cells)
    bench = Bench(replace(made, cells=cells), tmp_path)
    results = await bench.run()
    assert bench.compared_after == 2
    assert [one.kind for one in results.cells[0].rounds] == [RoundKind.CHECK] + [RoundKind.TIMED] * 10


async def test_an_interruption_in_the_confirmation_keeps_what_was_measured(tmp_path: Path) -> None:
    bench = Bench(plan("abc"), tmp_path, noisy(1.1))
    ends_at = 30 + 5

    async def run(step: Step) -> None:
        if len(bench.order) == ends_at:
            raise asyncio.CancelledError
        await Bench._round(bench, step)

    bench._round = run  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await bench.run()
    bench.recorder.cancel(bench.plan.cells)
    results = await bench.recorder.end(RunStatus.INTERRUPTED, "")
    assert sum(len(cell.rounds) for cell in results.cells) == ends_at
    assert [cell.status for cell in results.cells] == ["cancelled", "cancelled", "completed"]
    assert len(results.phases) == 1
    assert [one.verdict for one in results.comparisons] == [Verdict.INCONCLUSIVE]
    assert RunDirectory(tmp_path / "r").results() == results


async def test_what_the_screen_settled_is_complete_when_the_confirmation_is_interrupted(
    tmp_path: Path,
) -> None:
    duels = (*AB, Duel("d/m/c", "d/m/d", Change.VARIANT))
    bench = Bench(plan("abcd", duels=duels), tmp_path, noisy(1.1, 0.005))

    async def run(step: Step) -> None:
        if step[1].phase is Phase.CONFIRM:
            raise asyncio.CancelledError
        await Bench._round(bench, step)

    bench._round = run  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await bench.run()
    assert [bench.recorder.is_closed(cell) for cell in bench.plan.cells] == [False, False, True, True]


async def test_two_runs_that_were_the_screen_are_confirmed_at_once(tmp_path: Path) -> None:
    before_ms, after_ms = ([factor * (2 + 0.001 * number) for number in range(6)] for factor in (1, 1.1))
    earlier = (Earlier("d/m/a", "old", tuple(before_ms)), Earlier("d/m/b", "new", tuple(after_ms)))
    made = replace(plan(duels=(replace(AB[0], since="old"),)), earlier=earlier)
    bench = Bench(made, tmp_path, noisy(1.1, 0.005))
    results = await bench.run()
    assert bench.counts("a") == bench.counts("b") == {"confirm": 20}
    assert [one.verdict for one in results.comparisons] == [Verdict.SLOWER]
