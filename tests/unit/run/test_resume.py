"""A run whose process is gone is gone on with from its journal. No device is needed for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from farm.errors import DeviceError, Fault, RequestError, Stage
from farm.model.matrix import Cell, Round, Sampling
from farm.model.run import CellStatus, Quality, Results, RunStatus
from farm.run.measure.measuring import Measuring, Watch
from farm.run.record import Recorder
from farm.store.journal import JOURNAL
from farm.store.runs import RESULTS, RunDirectory
from tests.unit.run.test_measuring import Bench, plan, two_odd_pairs

AT = "2026-11-26T10:00:00+00:00"


@dataclass
class Resumed(Bench):
    """Goes on with the run that lies in its folder."""

    known: set[tuple[str, str]] = field(default_factory=set)

    async def run(self) -> Results:
        recorder = await Recorder.reopen(RunDirectory(self.folder / "r"), self.plan, AT)
        self.recorder = recorder
        cells = [cell for cell in self.plan.cells if not recorder.is_closed(cell) or recorder.rounds(cell)]
        if not all(map(recorder.is_closed, cells)):
            watch = Watch(lambda: self.now, self.notes.append)
            self.measuring = Measuring(self.plan, cells, recorder, watch)
            await self.measuring.go(self._round, self._end, self._before_times)
        return await recorder.end(RunStatus.COMPLETED, "")


def cut(folder: Path, journal: bytes, at: int) -> None:
    """The run as it is when its process was killed after so many bytes of the journal."""
    (folder / "r" / RESULTS).unlink(missing_ok=True)
    (folder / "r" / JOURNAL).write_bytes(journal[:at])


def slower(cell: Cell, one: Round) -> float:
    """`b` is 6 % slower, and no two rounds are the same."""
    return (2.12 if cell.variant.name == "b" else 2.0) + 0.001 * ((7 * one.index) % 5) + 0.01 * one.attempt


def sometimes_busy(cell: Cell, one: Round) -> Quality:
    return Quality.BUSY if one.index == 3 and not one.attempt and cell.variant.name == "b" else Quality.OK


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="ten pairs, then fresh ones"),
        pytest.param({"quality": sometimes_busy}, id="some are repeated"),
    ],
)
async def test_a_run_that_is_killed_after_any_line_comes_to_the_same(tmp_path: Path, options: dict) -> None:
    made = plan(sampling=Sampling(6), options="--profile p.json")
    bench = Bench(made, tmp_path, ms=slower, **options)
    whole = await bench.run()
    assert {cell.status for cell in whole.cells} == {CellStatus.COMPLETED}
    journal = (tmp_path / "r" / JOURNAL).read_bytes()
    ends = [number + 1 for number, byte in enumerate(journal) if byte == ord("\n")]
    total = len(bench.order)
    for number, at in enumerate(ends):
        for place in (at, at - 5):  # a whole line, and one that was cut short
            if place < ends[0]:
                continue
            cut(tmp_path, journal, place)
            known = sum(line.startswith(b'{"event":"round"') for line in journal[:place].split(b"\n")[:-1])
            again = Resumed(made, tmp_path, ms=slower, **options)
            results = await again.run()
            assert len(again.order) == total - known, f"after line {number}"
            assert results.cells == whole.cells
            assert results.comparisons == whole.comparisons
            assert results.phases == whole.phases
            assert results.resumed == (AT,)
            assert RunDirectory(tmp_path / "r").results() == results


async def test_a_pilot_that_was_being_made_longer_goes_on_where_it_was(tmp_path: Path) -> None:
    made = plan(sampling=Sampling(10, is_auto=True))
    bench = Bench(made, tmp_path, ms=two_odd_pairs)
    whole = await bench.run()
    journal = (tmp_path / "r" / JOURNAL).read_bytes()
    ends = [number + 1 for number, byte in enumerate(journal) if byte == ord("\n")]
    for at in ends[15:-1:4]:
        cut(tmp_path, journal, at)
        again = Resumed(made, tmp_path, ms=two_odd_pairs)
        results = await again.run()
        assert len(again.order) == len(bench.order) - journal[:at].count(b'{"event":"round"')
        assert (results.cells, results.phases) == (whole.cells, whole.phases)


async def test_what_was_interrupted_by_hand_is_gone_on_with(tmp_path: Path) -> None:
    made = plan(sampling=Sampling(4), duels=())
    bench = Bench(made, tmp_path)
    whole = await bench.run()
    journal = (tmp_path / "r" / JOURNAL).read_bytes()
    lines = journal.splitlines(keepends=True)
    cut(tmp_path, b"".join(lines[:5]), len(journal))
    first = await Recorder.reopen(RunDirectory(tmp_path / "r"), made, AT)
    first.cancel(made.cells)
    interrupted = await first.end(RunStatus.INTERRUPTED, AT)
    assert CellStatus.CANCELLED in {cell.status for cell in interrupted.cells}

    results = await Resumed(made, tmp_path).run()
    assert results.cells == whole.cells
    assert len(results.resumed) == 2


async def test_a_cell_that_its_device_failed_is_tried_again_and_one_that_crashed_is_not(
    tmp_path: Path,
) -> None:
    made = plan("ab", sampling=Sampling(2), duels=())
    bench = Bench(made, tmp_path, ms=lambda cell, _: None if cell.variant.name == "b" else 2.0)
    whole = await bench.run()
    journal = (tmp_path / "r" / JOURNAL).read_bytes().splitlines(keepends=True)
    kept = [line for line in journal if b'"cell":"d/m/a"' not in line and b'"event":"end"' not in line]
    cut(tmp_path, b"".join(kept), 1 << 30)
    first = await Recorder.reopen(RunDirectory(tmp_path / "r"), made, AT)
    lost = DeviceError("no route", stage=Stage.CONNECT, fault=Fault.NETWORK, cause="unreachable")
    first.fail(made.cells, lost)
    failed = await first.end(RunStatus.PARTIAL, AT)
    assert [cell.status for cell in failed.cells] == [CellStatus.FAILED] * 2

    again = Resumed(made, tmp_path)
    results = await again.run()
    assert again.order == ["a screen 0 0", "a screen 1 0"]
    assert [cell.status for cell in results.cells] == [CellStatus.COMPLETED, CellStatus.FAILED]
    assert results.cells[1] == whole.cells[1]


async def test_a_run_that_goes_on_is_not_gone_on_with_by_another(tmp_path: Path) -> None:
    made = plan(sampling=Sampling(2))
    await Bench(made, tmp_path).run()
    directory = RunDirectory(tmp_path / "r")
    first = await Recorder.reopen(directory, made, AT)
    with pytest.raises(RequestError, match="still goes on"):
        await asyncio.to_thread(directory.require_ended)
    with pytest.raises(RequestError, match="still goes on"):
        await Recorder.reopen(directory, made, AT)
    await first.end(RunStatus.COMPLETED, AT)
    directory.require_ended()


async def test_the_budget_counts_what_was_measured_before(tmp_path: Path) -> None:
    made = plan("a", duels=(), sampling=replace(Sampling(40), budget_s=30.0))
    bench = Bench(made, tmp_path)
    whole = await bench.run()
    assert len(bench.order) < 40
    assert whole.phases[0].cut is not None
    journal = (tmp_path / "r" / JOURNAL).read_bytes()
    cut(tmp_path, journal, len(journal))
    again = Resumed(made, tmp_path)
    results = await again.run()
    assert again.order == []
    assert results.phases == whole.phases
