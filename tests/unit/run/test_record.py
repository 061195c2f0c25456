"""How a cell ends whose runtime says that it cannot do something."""

from __future__ import annotations

import time
from pathlib import Path

from farm.model.artifact import Artifact
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Cell, Model
from farm.model.measurement import UNAVAILABLE
from farm.model.options import Variant
from farm.model.run import CellResult, CellStatus, RoundResult, StageResult
from farm.options import parse
from farm.plan.matrix import make_plan
from farm.run.record import Recorder
from farm.store.runs import RunDirectory

REASON = "not to be had on this device: libmegengine_shared.so is another build"
TIMED = RoundResult("timed", 0, "completed", e2e_ms=(2.0,) * 10, value_ms=2.0)


def unavailable(kind: str) -> RoundResult:
    return RoundResult(kind, 0, "failed", cause=UNAVAILABLE, fault="user", error=REASON)


def recorder_of(folder: Path, options: str) -> tuple[Recorder, Cell]:
    device = Device("d", Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL))
    model = Model("m", Artifact("m.mge", "0" * 64, 10, Path("m.mge")))
    plan = make_plan([device], [model], [Variant("v", parse(options.split()))], rounds=1, seed=1)
    run = RunDirectory.create(folder, "r")
    return Recorder(run, plan, farm_version="1", command=(), started_at="", clock=time.monotonic), plan.cells[
        0
    ]


def ended(recorder: Recorder) -> CellResult:
    return recorder.end("completed", "").cells[0]


def test_an_observer_that_cannot_be_had_skips_its_cell_which_keeps_its_times(tmp_path: Path) -> None:
    recorder, cell = recorder_of(tmp_path, "--range 1000")
    recorder.round(cell, TIMED, reproduce="")
    assert not recorder.is_closed(cell)
    recorder.round(cell, unavailable("info"), reproduce="")
    result = ended(recorder)
    assert (result.status, result.reason, result.error) == (CellStatus.SKIPPED, REASON, None)
    assert result.summary is not None
    assert [one.status for one in result.rounds] == ["completed", "failed"]


def test_a_stage_that_cannot_be_had_skips_its_cell(tmp_path: Path) -> None:
    recorder, cell = recorder_of(tmp_path, "--fast-run")
    recorder.stages(cell, (StageResult("fast-run", "failed", 1.0, None, "k", None, unavailable("setup")),))
    result = ended(recorder)
    assert (result.status, result.reason) == (CellStatus.SKIPPED, f"stage fast-run: {REASON}")
    assert recorder.is_closed(cell)
