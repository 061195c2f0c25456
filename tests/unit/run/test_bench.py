"""The exit code of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from farm.compare.outcome import exit_code
from farm.errors import ExitCode, Fault, Stage
from farm.model.run import CellStatus, RunStatus
from farm.run.bench import status_of
from tests.data.results import make


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ("completed", ExitCode.OK),
        ("completed skipped", ExitCode.OK),
        ("completed failed", ExitCode.CELLS_FAILED),
        ("failed skipped", ExitCode.NOTHING_RAN),
        ("skipped", ExitCode.NOTHING_RAN),
        ("", ExitCode.NOTHING_RAN),
    ],
)
def test_the_exit_code_says_whether_all_some_or_nothing_ran(statuses: str, code: ExitCode) -> None:
    results = make.small()
    one = replace(results.cells[0], summary=None, stage=Stage.EXECUTE, fault=Fault.DEVICE)
    cells = (replace(one, status=CellStatus(word)) for word in statuses.split())
    assert exit_code(replace(results, cells=tuple(cells))) is code


@pytest.mark.parametrize(
    ("stage", "fault", "code"),
    [
        (Stage.DEPLOY, Fault.USER, ExitCode.CELLS_FAILED),
        (Stage.EXECUTE, Fault.USER, ExitCode.CELLS_FAILED),
        (Stage.LEASE, Fault.USER, ExitCode.NOTHING_RAN),
        (Stage.CONNECT, Fault.USER, ExitCode.NOTHING_RAN),
        (Stage.DEPLOY, Fault.DEVICE, ExitCode.NOTHING_RAN),
        (Stage.EXECUTE, Fault.FARM, ExitCode.NOTHING_RAN),
    ],
)
def test_what_a_device_shows_to_be_wrong_with_the_request_is_a_failure_though_nothing_ran(
    stage: Stage, fault: Fault, code: ExitCode
) -> None:
    results = make.small()
    failed = replace(results.cells[0], status=CellStatus.FAILED, summary=None, stage=stage, fault=fault)
    nothing_ran = replace(results, cells=(failed,))
    assert exit_code(nothing_ran) is code
    assert status_of(nothing_ran) is RunStatus.FAILED
    another = replace(results.cells[0], status=CellStatus.SKIPPED, summary=None)
    assert exit_code(replace(results, cells=(failed, another))) is code


def test_a_cell_that_was_measured_before_it_failed_has_run() -> None:
    results = make.small()
    measured = next(cell for cell in results.cells if cell.summary)
    failed = replace(measured, status=CellStatus.FAILED)
    assert exit_code(replace(results, cells=(failed,))) is ExitCode.CELLS_FAILED
