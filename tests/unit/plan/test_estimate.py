"""How long it will take, by what was measured."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from farm.model.artifact import Artifact
from farm.model.comparison import Change, Duel
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Model, Plan, RoundKind, Sampling
from farm.model.options import Variant
from farm.model.run import CellStatus, Results, RoundResult, RoundStatus, RunStatus
from farm.options import parse
from farm.plan.estimate import Span, expected, span
from farm.run.planned import Origin, planned_results
from tests.unit.plans import plan_of

DEVICES = [Device(name, Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL)) for name in ("arm-1", "arm-2")]
MODEL = Model("m", Artifact("m.mge", "0" * 64, 10, Path("m.mge")))
BEGAN = datetime(2026, 11, 25, tzinfo=UTC)


def plan(*variants: str, rounds: int = 10) -> Plan:
    columns = [Variant(name, parse(["--iter", str(len(name))])) for name in variants or ("a",)]
    return plan_of(DEVICES, [MODEL], columns, rounds=rounds)


def run(made: Plan, *, wall_s: float | None = 2.0, every_s: float = 3.0) -> Results:
    """A run of a plan: its first round begins after 20 s, and one more every `every_s`."""
    results = planned_results("r", made, Origin("1", (), BEGAN.isoformat()))
    cells = []
    for cell in results.cells:
        rounds = tuple(
            RoundResult(
                RoundKind.TIMED,
                index,
                RoundStatus.COMPLETED,
                started_at=(BEGAN + timedelta(seconds=20 + every_s * index)).isoformat(),
                wall_s=wall_s,
            )
            for index in range(made.rounds)
        )
        cells.append(replace(cell, rounds=rounds, status=CellStatus.COMPLETED))
    return replace(results, cells=tuple(cells), status=RunStatus.COMPLETED)


@pytest.mark.parametrize(
    ("low_s", "high_s", "text"),
    [
        (720, 900, "about 12 to 15 min"),
        (50, 58, "about 50 to 58 s"),
        (100, 118, "about 100 to 118 s"),
        (3000, 8000, "about 1 to 3 h"),
        (0, 0.2, "about 1 s"),
        (121, 125, "about 3 min"),
    ],
)
def test_a_span_is_told_in_one_unit(low_s: float, high_s: float, text: str) -> None:
    assert Span(low_s, high_s).text == text


def test_a_sum_lies_in_its_span_nearly_always() -> None:
    chance = Random(1)
    hits = 0
    for _ in range(300):
        measured = {
            "a": [chance.gauss(2, 0.3) for _ in range(5)],
            "b": [chance.gauss(9, 1) for _ in range(5)],
        }
        found = span(measured, {"a": 20, "b": 20})
        assert found is not None
        real_s = sum(chance.gauss(2, 0.3) + chance.gauss(9, 1) for _ in range(20))
        hits += found.low_s <= real_s <= found.high_s
    assert hits >= 255  # five rounds say little of their mean: 85 of 100 at least


def test_nothing_measured_tells_nothing_and_nothing_to_do_takes_no_time() -> None:
    assert span({}, {"a": 3}) is None
    assert span({"a": []}, {"a": 3}) is None
    assert span({"a": [1.0]}, {}) == Span(0.0, 0.0)


def test_a_cell_that_was_never_measured_widens_the_span() -> None:
    known, guessed = (span({"a": [2.0] * 9}, {cell: 10}) for cell in ("a", "b"))
    assert known is not None
    assert guessed is not None
    assert guessed.high_s - guessed.low_s > known.high_s - known.low_s


def test_a_plan_takes_as_long_as_the_same_cells_took_with_all_around_them() -> None:
    found = expected(plan(rounds=100), [run(plan())])
    assert found is not None
    assert found.screen.low_s <= 20 + 300 <= found.screen.high_s
    assert found.screen.high_s < 350
    assert (found.unknown, found.runs, found.most) == (0, 1, None)
    assert found.text == "about 6 min (by 1 earlier run)"


def test_cells_with_other_options_are_unknown_and_no_run_at_all_is_no_answer() -> None:
    found = expected(plan("a", "bb"), [run(plan("a"))])
    assert found is not None
    assert found.unknown == 2
    assert "2 of 4 cells were not in them" in found.text
    assert expected(plan("bb"), [run(plan("a"))]) is None
    assert expected(plan("a"), []) is None


def test_what_may_be_confirmed_is_told_apart() -> None:
    made = plan("a", "bb", rounds=10)
    dueling = replace(made, duels=(Duel("arm-1/m/a", "arm-1/m/bb", Change.VARIANT),))
    found = expected(dueling, [run(made)])
    assert found is not None
    assert found.most is not None
    assert found.most.high_s > found.screen.high_s + 35
    limited = replace(dueling, sampling=Sampling(10, budget_s=90))
    found = expected(limited, [run(made)])
    assert found is not None
    assert found.most is not None
    assert found.most.high_s <= 120


@pytest.mark.parametrize("wall_s", [None, math.nan, math.inf, -1.0])
def test_a_time_that_is_none_is_left_out(wall_s: float | None) -> None:
    assert expected(plan(), [run(plan(), wall_s=wall_s)]) is None


def test_a_clock_that_jumped_back_costs_no_time() -> None:
    found = expected(plan(rounds=10), [run(plan(), every_s=-5.0)])
    assert found is not None
    assert 0 <= found.screen.low_s <= found.screen.high_s < 60
