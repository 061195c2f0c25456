"""How a cell ends whose runtime says that it cannot do something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from farm.errors import Fault
from farm.model.artifact import Artifact
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.journal import RoundEnded
from farm.model.matrix import Cell, Model, RoundKind
from farm.model.measurement import UNAVAILABLE
from farm.model.options import Variant
from farm.model.run import CellResult, CellStatus, PreparationResult, RoundResult, RoundStatus, RunStatus
from farm.options import parse
from farm.run.planned import Origin
from farm.run.record import Recorder
from farm.run.secrets import Hider
from farm.store.journal import read_journal
from farm.store.runs import RunDirectory
from tests.unit.plans import plan_of

REASON = "not to be had on this device: libmegengine_shared.so is another build"
TIMED = RoundResult(RoundKind.TIMED, 0, RoundStatus.COMPLETED, e2e_ms=(2.0,) * 10, value_ms=2.0)


def unavailable(kind: RoundKind) -> RoundResult:
    return RoundResult(kind, 0, RoundStatus.FAILED, cause=UNAVAILABLE, fault=Fault.USER, error=REASON)


async def recorder_of(folder: Path, options: str) -> tuple[Recorder, Cell]:
    device = Device("d", Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL))
    model = Model("m", Artifact("m.mge", "0" * 64, 10, Path("m.mge")))
    plan = plan_of([device], [model], [Variant("v", parse(options.split()))], rounds=1, seed=1)
    run = RunDirectory.create(folder, "r")
    return await Recorder.open(run, plan, Origin("1", (), "")), plan.cells[0]


async def ended(recorder: Recorder) -> CellResult:
    return (await recorder.end(RunStatus.COMPLETED, "")).cells[0]


async def test_an_observer_that_cannot_be_had_skips_its_cell_which_keeps_its_times(tmp_path: Path) -> None:
    recorder, cell = await recorder_of(tmp_path, "--range 1000")
    await recorder.round(cell, TIMED, reproduce="", is_last=False)
    assert not recorder.is_closed(cell)
    await recorder.round(cell, unavailable(RoundKind.INFO), reproduce="", is_last=True)
    result = await ended(recorder)
    assert (result.status, result.reason, result.error) == (CellStatus.SKIPPED, REASON, None)
    assert result.summary is not None
    assert [one.status for one in result.rounds] == ["completed", "failed"]


async def test_a_preparation_that_cannot_be_had_skips_its_cell(tmp_path: Path) -> None:
    recorder, cell = await recorder_of(tmp_path, "--fast-run")
    failed = PreparationResult(
        "fast-run", RoundStatus.FAILED, 1.0, None, "k", None, unavailable(RoundKind.SETUP)
    )
    await recorder.preparations(cell, (failed,))
    result = await ended(recorder)
    assert (result.status, result.reason) == (CellStatus.SKIPPED, f"preparation fast-run: {REASON}")
    assert recorder.is_closed(cell)


async def test_a_round_is_in_the_journal_with_all_its_facts_before_the_next_one_starts(
    tmp_path: Path,
) -> None:
    recorder, cell = await recorder_of(tmp_path, "--range 1000")
    await recorder.round(cell, TIMED, reproduce="", is_last=False)
    (event,) = (e for e in read_journal(tmp_path / "r" / "journal.jsonl").events if isinstance(e, RoundEnded))
    assert (event.cell, event.round) == (cell.id, TIMED)
    await ended(recorder)


async def test_a_secret_that_is_the_name_of_a_field_is_hidden_in_texts_alone(tmp_path: Path) -> None:
    recorder, cell = await recorder_of(tmp_path, "--range 1000")
    recorder.hider = Hider([replace(cell.device, environment=(("DB_PASSWORD", "engine"),))])
    recorder.device("d", engine="the engine of the year")
    assert recorder.record("d").engine == "the *** of the year"
    await ended(recorder)
