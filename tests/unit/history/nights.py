"""Runs of many nights, with times that are drawn from a fixed seed and changes that are planted."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from farm.analysis.summary import summarise
from farm.model.device import Facts
from farm.model.run import CellResult, Results, RoundResult
from farm.store.codec import results_to_json
from tests.data.results import make

START = datetime(2026, 1, 1, 2, tzinfo=UTC)
ROUNDS = 5
LEVEL_MS = 10.0

Factor = Callable[[int], float]
"""How long a night's times are, by its number."""


def steady(_number: int) -> float:
    return 1.0


def night(
    number: int,
    factor: Factor = steady,
    *,
    noise: float = 0.01,
    facts: Facts | None = None,
    context: Mapping[str, str] | None = None,
) -> Results:
    """A run of one cell. `context`: fields of the cell that are other ones than usual."""
    draw = random.Random(number)
    made = _made()
    one = made.cells[0]
    level_ms = LEVEL_MS * factor(number) * (1 + draw.gauss(0, noise))
    rounds = tuple(
        _round(one.rounds[0], index, level_ms * (1 + draw.gauss(0, noise))) for index in range(ROUNDS)
    )
    cell: CellResult = replace(one, rounds=rounds, summary=summarise(rounds), **_digests(context or {}))
    device = next(each for each in made.devices if each.name == cell.device)
    return replace(
        made,
        run_id=name_of(number),
        started_at=(START + timedelta(days=number)).isoformat(),
        devices=(replace(device, facts=facts or Facts(architecture="aarch64", kernel="6.1.0")),),
        cells=(cell,),
        duels=(),
        comparisons=(),
    )


def name_of(number: int) -> str:
    return f"night-{number:03d}"


def keep(runs: Path, results: Results) -> Path:
    """The run on disk, as a bench leaves it."""
    folder = runs / results.run_id
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("run.json", "results.json"):
        (folder / name).write_bytes(results_to_json(results))
    return folder


@cache
def _made() -> Results:
    return make.small()


def _round(one: RoundResult, index: int, value_ms: float) -> RoundResult:
    return replace(one, index=index, value_ms=value_ms, e2e_ms=(value_ms,) * 12)


def _digests(context: Mapping[str, str]) -> dict[str, Any]:
    usual = {"model_sha256": "a" * 64, "runtime_digest": "b" * 64, "input_sha256": "c" * 64}
    return usual | dict(context)
