"""What supervises a round on its device is killed: the round is begun again, unless that happens each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.sim.fleet import fleet
from farm.sim.properties import Program, Properties, Strike, Target
from tests.e2e.conftest import Farm
from tests.sim.conftest import bench

pytestmark = pytest.mark.sshd

VARIANTS = ("--variant", "plain=", "--variant", "nchw44=--enable-nchw44")


async def test_a_round_whose_supervisor_was_killed_is_begun_again_and_says_so(
    farm: Farm, devices: Path
) -> None:
    struck = Properties(Program(strikes=(Strike(Target.SUPERVISOR, run=2),)))
    async with fleet({"board": struck}, devices) as running:
        outcome = await bench(farm, running, *VARIANTS)
        assert len(running.devices["board"].runs()) == 5
    assert outcome.code == 0, outcome.stderr
    rounds = [one for cell in outcome.results["cells"] for one in cell["rounds"]]
    assert len(rounds) == 4
    (notes,) = [one["notes"] for one in rounds if one["notes"]]
    assert "what supervised it on the device was killed 1 times before: it was begun again" in notes


@pytest.mark.long
async def test_rounds_that_lose_their_supervisor_each_time_fail_and_cost_no_other_device(
    farm: Farm, devices: Path
) -> None:
    struck = Properties(Program(strikes=(Strike(Target.SUPERVISOR, run=0),)))
    async with fleet({"board": struck, "other": Properties(Program())}, devices) as running:
        outcome = await bench(farm, running, *VARIANTS)
        runs = len(running.devices["board"].runs())
    assert outcome.code == 3, outcome.stderr
    cells = {cell["device"]: cell for cell in outcome.results["cells"]}
    assert (cells["board"]["status"], cells["board"]["cause"]) == ("failed", "lost")
    assert cells["other"]["status"] == "completed"
    assert runs == 6  # three times the first round of each cell
