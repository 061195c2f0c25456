"""Results with given times, made by hand: a pair of cells, a run, a night."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from farm.analysis.summary import summarise
from farm.model.comparison import Change, Duel, Phase
from farm.model.device import Facts, RuntimeKind
from farm.model.matrix import RoundKind
from farm.model.run import (
    SCHEMA_VERSION,
    CellResult,
    CellStatus,
    DeviceRecord,
    ModelRecord,
    Quality,
    Results,
    RoundResult,
    RoundStatus,
    RunStatus,
)

FACTS = Facts(kernel="6.1.43", cpu_model="RK3588", governors=((0, "performance"), (1, "performance")))


def timed(values_ms: Sequence[float], phase: Phase = Phase.SCREEN, **fields: Any) -> tuple[RoundResult, ...]:
    return tuple(
        RoundResult(
            RoundKind.TIMED,
            index,
            RoundStatus.COMPLETED,
            **{"phase": phase, "e2e_ms": (value,), "value_ms": value, **fields},
        )
        for index, value in enumerate(values_ms)
    )


def cell(
    *rounds: RoundResult,
    device: str = "arm-1",
    build: str = "inventory",
    variant: str = "fp32",
    **fields: Any,
) -> CellResult:
    made = CellResult(device, "m", variant, {}, (), CellStatus.COMPLETED, build=build, rounds=rounds)
    return replace(made, **{"summary": summarise(rounds), **fields})


def run(*cells: CellResult, **fields: Any) -> Results:
    names = dict.fromkeys(one.device for one in cells)
    made = Results(
        schema_version=SCHEMA_VERSION,
        run_id="new",
        farm_version="0.1.0",
        started_at="2026-11-23T11:30:27+00:00",
        ended_at="2026-11-23T11:36:41+00:00",
        status=RunStatus.COMPLETED,
        command=("farm", "bench"),
        seed=1,
        rounds=10,
        devices=tuple(DeviceRecord(name, name, RuntimeKind.NATIVE, "aa", facts=FACTS) for name in names),
        models=(ModelRecord("m", "ab" * 32, 1, ""),),
        variants=(),
        cells=cells,
    )
    return replace(made, **fields)


def noise(number: int, spread: float, level_ms: float = 10.0, seed: int = 1) -> list[float]:
    draw = random.Random(f"{seed}/{level_ms}")
    return [level_ms * (1 + draw.gauss(0, spread)) for _ in range(number)]


def duel(
    change: float, *, screen: int = 10, confirm: int = 0, spread: float = 0.005, seed: int = 1
) -> Results:
    """A run with one duel of builds, of which the new one takes `change` times as long."""
    sides = []
    for build, level_ms in (("old", 10.0), ("new", 10.0 * change)):
        rounds = (
            *timed(noise(screen, spread, level_ms, seed)),
            *timed(noise(confirm, spread, level_ms, seed + 1000), Phase.CONFIRM),
        )
        sides.append(cell(*rounds, build=build))
    return run(*sides, duels=(Duel(sides[0].id, sides[1].id, Change.BUILD),))


def spoilt(results: Results, number: int, quality: Quality, phase: Phase = Phase.SCREEN) -> Results:
    """The same with this quality of the first rounds of a phase of the new side."""
    old, new = results.cells
    rounds = tuple(
        replace(one, quality=quality) if one.phase is phase and one.index < number else one
        for one in new.rounds
    )
    return replace(results, cells=(old, replace(new, rounds=rounds)))
