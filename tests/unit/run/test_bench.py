"""The exit code of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from farm.errors import ExitCode
from farm.model.run import CellStatus
from farm.run.bench import exit_code
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
    cells = (replace(results.cells[0], status=CellStatus(word), summary=None) for word in statuses.split())
    assert exit_code(replace(results, cells=tuple(cells))) is code


def test_a_cell_that_was_measured_before_it_failed_has_run() -> None:
    results = make.small()
    measured = next(cell for cell in results.cells if cell.summary)
    failed = replace(measured, status=CellStatus.FAILED)
    assert exit_code(replace(results, cells=(failed,))) is ExitCode.CELLS_FAILED
