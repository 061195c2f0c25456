"""A fleet of one machine, with a file as its store."""

from __future__ import annotations

from pathlib import Path

import pytest

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
