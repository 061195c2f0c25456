"""A night asks the database of all runs which devices drift; what fails there costs no night."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from farm.cli.nightly.drifting import with_drifts
from farm.model.device import Facts
from farm.model.run import Results
from farm.nightly.nouns import Kind, Night, State
from tests.unit.history.nights import keep, night

DEVICES = ("arm-1", "arm-2", "arm-3")
LAST = 9
FACTS = Facts(architecture="aarch64", soc="rk3588")


def at_level(level: float, _number: int) -> float:
    return level


def lab(number: int) -> Results:
    """A night of three devices; the last one is 10 % slower on the last two nights."""
    made = night(number, facts=FACTS)
    cells, devices = [], []
    for place, device in enumerate(DEVICES):
        level = 1.1 if device == DEVICES[-1] and number >= LAST - 1 else 1.0
        one = night(100 * place + number, partial(at_level, level), facts=FACTS)
        cells.append(replace(one.cells[0], device=device))
        devices.append(replace(one.devices[0], name=device))
    began = (datetime.now(UTC) - timedelta(days=LAST - number)).isoformat()
    return replace(made, cells=tuple(cells), devices=tuple(devices), started_at=began)


@pytest.fixture
def tonight(tmp_path: Path) -> Results:
    for number in range(LAST + 1):
        keep(tmp_path, lab(number))
    return lab(LAST)


def found(tonight: Results, runs_dir: Path) -> Night:
    before = Night(tonight.run_id, cells=frozenset(cell.id for cell in tonight.cells))
    return with_drifts(before, tonight, runs_dir, State())


def test_a_device_that_drifts_is_a_finding_and_the_others_are_seen_not_to(
    tonight: Results, tmp_path: Path
) -> None:
    made = found(tonight, tmp_path)
    assert [(one.kind, one.cell) for one in made.findings] == [(Kind.DRIFTS, "arm-3")]
    assert "against its class (aarch64 rk3588, 3 devices)" in made.findings[0].text
    assert made.decided == {(Kind.DRIFTS, device, "") for device in DEVICES}


def test_a_database_that_cannot_be_read_costs_no_night(tonight: Results, tmp_path: Path, capsys) -> None:
    (tmp_path / "farm.db").write_bytes(b"no database, but something of somebody's" * 100)
    assert found(tonight, tmp_path).decided == frozenset()
    assert "farm.db" in capsys.readouterr().err
