"""What failed is told once, and never without end."""

from __future__ import annotations

from farm.cli.bench.failures import GROUPS_SHOWN, failures_of
from farm.errors import Stage
from farm.model.run import SCHEMA_VERSION, CellResult, CellStatus, Results, RunStatus


def failed(device: str, variant: str, error: str = "held by bob", cause: str = "held") -> CellResult:
    return CellResult(
        device, "m", variant, {}, (), CellStatus.FAILED,
        stage=Stage.LEASE, cause=cause, error=error, hint=f"farm devices check {device}",
    )  # fmt: skip


def results(*cells: CellResult) -> Results:
    return Results(
        SCHEMA_VERSION, "r", "1", "", None, RunStatus.PARTIAL, (), 0, 1, (), (), (), cells,
    )  # fmt: skip


def test_what_one_device_fails_of_is_told_once_with_the_number_of_cells() -> None:
    cells = [failed("a", f"v{index}") for index in range(7)]
    done = CellResult("a", "m", "x", {}, (), CellStatus.COMPLETED)
    told = failures_of(results(*cells, done, failed("b", "v0"), failed("a", "y", "no GPU", "no-gpu")))
    assert [line for line, _ in told] == [
        "a: 7 cells failed at lease: held by bob",
        "b/m/v0 failed at lease: held by bob",
        "a/m/y failed at lease: no GPU",
    ]
    assert told[0][1] == "farm devices check a"


def test_a_dead_site_does_not_fill_the_screen() -> None:
    cells = [failed(f"d{number}", f"v{index}", f"no route to d{number}", "unreachable")
             for number in range(300) for index in range(4)]  # fmt: skip
    told = failures_of(results(*cells, failed("z", "v0")))
    assert len(told) == GROUPS_SHOWN + 1
    assert told[-1][0] == (
        "and 1121 more cells of 281 devices failed (1120 unreachable, 1 held): the report has them all"
    )
