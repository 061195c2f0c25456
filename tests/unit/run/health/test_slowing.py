"""A device that is slower than its own history, and all that only looks like it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from farm.history.index import update
from farm.history.nouns import Point, Series, SeriesKey
from farm.model.limits.deadlines import Deadlines
from farm.run.devices.past import slower_devices
from farm.run.health.nouns import IN_A_ROW, Slower
from farm.run.health.slowing import FEWEST_RUNS, slower
from farm.store.sources import sources
from tests.unit.history.nights import keep, night

RUNS = 20
LAST = RUNS - IN_A_ROW
DEFAULTS = Deadlines()
CONTEXT = {"model": "m", "runtime's files": "r", "options": "o", "governor": "performance"}


def cell(
    factor: Callable[[int], float],
    name: str = "tiny",
    *,
    runs: int = RUNS,
    noise: float = 0.01,
    **context: str,
) -> Series:
    """Of each run by its number; `context` is another one in the newest three runs."""
    draw = random.Random(name)
    points = (
        Point(
            f"run-{number:02d}", number * 86_400.0, "", "completed",
            median_ms=10 * factor(number) * (1 + draw.gauss(0, noise)),
            context=CONTEXT | (context if number >= runs - IN_A_ROW else {}),
        )
        for number in range(runs)
    )  # fmt: skip
    return Series(SeriesKey("arm-1", name, "default", "inventory"), tuple(points))


def since(first: int, factor: float = 1.2) -> Callable[[int], float]:
    return lambda number: factor if number >= first else 1.0


def test_a_device_that_is_slower_in_each_of_its_newest_runs_is_found() -> None:
    found = slower([cell(since(LAST), name) for name in ("a", "b", "c")])
    assert found is not None
    assert found.ratio == pytest.approx(1.2, rel=0.03)
    assert (found.cells, found.runs, found.evidence) == (3, LAST, ())


def test_what_is_known_to_differ_is_named() -> None:
    found = slower([cell(since(LAST), name, governor="powersave") for name in ("a", "b")])
    assert found is not None
    assert found.evidence == ("governor: performance and powersave",)


ANOTHER_BUILD: dict[str, Any] = {"runtime's files": "s"}
NOT_SLOWER: dict[str, Sequence[Series]] = {
    "as it was": [cell(lambda _: 1.0)],
    "one noisy run": [cell(lambda number: 1.5 if number == RUNS - 1 else 1.0)],
    "two noisy runs": [cell(lambda number: 1.5 if number >= RUNS - 2 else 1.0)],
    "a noisy run in the middle": [cell(lambda number: 1.5 if number == 9 else 1.0)],
    "faster": [cell(since(LAST, 0.8))],
    "a little": [cell(since(LAST, 1.03), noise=0.0)],
    "one of three cells": [cell(since(LAST), "a"), cell(lambda _: 1.0, "b"), cell(lambda _: 1.0, "c")],
    "another build": [cell(since(LAST), **ANOTHER_BUILD)],
    "another model": [cell(since(LAST), model="n")],
    "it is always that noisy": [cell(since(LAST, 1.1), noise=0.2)],
    "too few runs": [cell(since(FEWEST_RUNS - 1), runs=FEWEST_RUNS + IN_A_ROW - 1)],
    "no times": [cell(lambda _: float("nan"))],
    "nothing": [],
}


@pytest.mark.parametrize("name", NOT_SLOWER)
def test_nobody_is_blamed_for(name: str) -> None:
    assert slower(NOT_SLOWER[name]) is None


def test_noise_alone_is_no_alarm() -> None:
    """Of 400 devices that do nothing but vary."""
    found = [
        slower([cell(lambda _: 1.0, f"{device}-{one}", noise=0.05) for one in range(3)])
        for device in range(400)
    ]
    assert [one for one in found if one is not None] == []


# --------------------------------------------------------------------------- the database


async def read(runs: Path, device: str, deadlines: Deadlines = DEFAULTS) -> tuple[Slower | None, list[str]]:
    told: list[str] = []
    found = await slower_devices(runs, [device], deadlines, told.append)
    return found.get(device), told


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FARM_DATABASE", raising=False)
    return tmp_path


@pytest.fixture
def device(runs: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its runs are in the folder, the newest three of them slower."""
    monkeypatch.setattr("tests.unit.history.nights.START", datetime.now(UTC).replace(microsecond=0))
    made = [night(number, since(9, 1.3)) for number in range(9 + IN_A_ROW)]
    for one in made:
        keep(runs, one)
    return made[0].cells[0].device


async def test_the_database_is_read_where_there_is_one_and_never_made(runs: Path, device: str) -> None:
    assert await read(runs, device) == (None, [])
    assert not (runs / "farm.db").exists()
    update(str(runs / "farm.db"), runs, sources(runs), lambda *_: None)
    found, told = await read(runs, device)
    assert told == []
    assert found is not None
    assert found.ratio == pytest.approx(1.3, rel=0.05)
    assert await read(runs, "another") == (None, [])


async def test_a_history_that_cannot_be_read_blames_nobody_and_says_so(runs: Path, device: str) -> None:
    (runs / "farm.db").write_bytes(b"no database" * 1000)
    found, (told,) = await read(runs, device)
    assert found is None
    assert "the devices' own history is not known" in told


async def test_a_history_that_takes_too_long_is_not_waited_for(runs: Path, device: str) -> None:
    update(str(runs / "farm.db"), runs, sources(runs), lambda *_: None)
    found, (told,) = await read(runs, device, Deadlines(history_s=1e-6))
    assert found is None
    assert "--deadline history=" in told
