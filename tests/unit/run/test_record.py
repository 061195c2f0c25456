"""How a cell ends whose runtime says that it cannot do something."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from farm.errors import Fault
from farm.model.artifact import Artifact
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Cell, Model, RoundKind
from farm.model.measurement import UNAVAILABLE
from farm.model.options import Variant
from farm.model.run import CellResult, CellStatus, PreparationResult, RoundResult, RoundStatus, RunStatus
from farm.options import parse
from farm.run.record import Origin, Recorder
from farm.store.runs import RunDirectory
from tests.unit.plans import plan_of

REASON = "not to be had on this device: libmegengine_shared.so is another build"
TIMED = RoundResult(RoundKind.TIMED, 0, RoundStatus.COMPLETED, e2e_ms=(2.0,) * 10, value_ms=2.0)


def unavailable(kind: RoundKind) -> RoundResult:
    return RoundResult(kind, 0, RoundStatus.FAILED, cause=UNAVAILABLE, fault=Fault.USER, error=REASON)


def recorder_of(folder: Path, options: str) -> tuple[Recorder, Cell]:
    device = Device("d", Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL))
    model = Model("m", Artifact("m.mge", "0" * 64, 10, Path("m.mge")))
    plan = plan_of([device], [model], [Variant("v", parse(options.split()))], rounds=1, seed=1)
    run = RunDirectory.create(folder, "r")
    return Recorder(run, plan, Origin("1", (), ""), clock=time.monotonic), plan.cells[0]


def ended(recorder: Recorder) -> CellResult:
    return recorder.end(RunStatus.COMPLETED, "").cells[0]


def test_an_observer_that_cannot_be_had_skips_its_cell_which_keeps_its_times(tmp_path: Path) -> None:
    recorder, cell = recorder_of(tmp_path, "--range 1000")
    recorder.round(cell, TIMED, reproduce="")
    assert not recorder.is_closed(cell)
    recorder.round(cell, unavailable(RoundKind.INFO), reproduce="")
    result = ended(recorder)
    assert (result.status, result.reason, result.error) == (CellStatus.SKIPPED, REASON, None)
    assert result.summary is not None
    assert [one.status for one in result.rounds] == ["completed", "failed"]


def test_a_preparation_that_cannot_be_had_skips_its_cell(tmp_path: Path) -> None:
    recorder, cell = recorder_of(tmp_path, "--fast-run")
    failed = PreparationResult(
        "fast-run", RoundStatus.FAILED, 1.0, None, "k", None, unavailable(RoundKind.SETUP)
    )
    recorder.preparations(cell, (failed,))
    result = ended(recorder)
    assert (result.status, result.reason) == (CellStatus.SKIPPED, f"preparation fast-run: {REASON}")
    assert recorder.is_closed(cell)


def test_a_round_is_in_the_journal_before_the_results_are_written(tmp_path: Path) -> None:
    recorder, cell = recorder_of(tmp_path, "--range 1000")
    (tmp_path / "r" / "results.json").mkdir()  # cannot be replaced
    with pytest.raises(IsADirectoryError):
        recorder.round(cell, TIMED, reproduce="")
    (event,) = map(json.loads, (tmp_path / "r" / "journal.jsonl").read_text().splitlines())
    assert (event["event"], event["cell"], event["e2e_ms"]) == ("round", cell.id, [2.0] * 10)
