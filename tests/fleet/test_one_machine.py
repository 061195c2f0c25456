"""A fleet of one machine, with a file as its store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from farm.fleet.database import Store
from farm.fleet.nouns import store_url
from farm.model.limits.deadlines import Deadlines
from farm.sim.fleet import fleet
from farm.sim.properties import Properties
from tests.fleet.conftest import WHOLE, Lab, rounds_of

pytestmark = pytest.mark.sshd


async def test_what_was_submitted_becomes_a_run_as_of_farm_bench(small: Lab, devices: Path) -> None:
    async with fleet({"board": Properties()}, devices) as running:
        submitted = await small.submit(running, "one")
        assert submitted.code == 0, submitted.stderr
        waiting = await small("queue")
        assert "no worker at the site default" in waiting.stdout
        worker = small.worker(running, "--drain")
        ended = await small.end_by_itself(worker)
        assert ended.code == 0, ended.stderr
        fetched = await small.fetch("one")
        assert fetched.code == 0, fetched.stderr
    assert rounds_of(fetched.results) == WHOLE
    assert fetched.results["status"] == "completed"
    assert (small.folder / "runs/one/report.html").is_file()
    shown = small.farm("runs", "show", "one")
    assert shown.code == 0, shown.stderr
    assert not list((small.folder / "cache/fleet").iterdir()), "the worker left its folder"


async def test_what_is_lost_of_one_lane_costs_the_others_nothing(small: Lab, devices: Path) -> None:
    """A step whose row was damaged, and a log that is gone from the storage."""
    async with fleet({"board": Properties(), "phone": Properties()}, devices) as running:
        assert (await small.submit(running, "one")).code == 0
        ended = await small.end_by_itself(small.worker(running, "--drain"))
        assert ended.code == 0, ended.stderr
    whole: Any = (await small("runs", "fetch", "one", "--runs-dir", "whole", "--json")).results
    cells = (cell for cell in whole["cells"] if cell["device"] == "board")
    log = next(
        made["sha256"]
        for cell in cells
        for one in cell["rounds"]
        for made in one["artifacts"]
        if made["role"] == "stderr"
    )
    store = Store(store_url(small.url), Deadlines())
    damaged = '{"lines": 5, "is_over": false}'
    with store.engine.begin() as connection:
        asked = "UPDATE operation_outputs SET output = :text WHERE workflow_uuid = 'one/phone' AND function_id = 2"
        assert connection.execute(sa.text(asked), {"text": damaged}).rowcount == 1
    store.close()
    (gone,) = (small.folder / "shared").rglob(log)
    gone.unlink()
    fetched = await small.fetch("one")
    assert fetched.code == 3, fetched.stderr
    assert rounds_of(fetched.results) == WHOLE
    assert any(gone.name[:12] in loss for loss in fetched.results["losses"])
    (phone,) = {
        cell["error"] for cell in fetched.results["cells"] if cell["device"] == "phone" and cell["error"]
    }
    assert "a step of the store cannot be read" in phone
