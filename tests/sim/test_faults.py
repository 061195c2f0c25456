"""One odd device of five costs its own cells at most: the others are complete, the results and the report are
written, and the exit code is 3, or 0 where the oddity does no harm. Never 1.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from farm.sim.fleet import fleet
from farm.sim.oddities import ODDITIES
from farm.sim.properties import Properties
from tests.e2e.conftest import Farm
from tests.sim.conftest import bench, needs

pytestmark = pytest.mark.sshd

HEALTHY = ("arm-1", "arm-2", "gpu-1", "gpu-2")
LIMITS = ("--round-limit", "15", "--reconnect", "10", "--deadline", "reply=10")


@dataclass(frozen=True)
class Row:
    """What an oddity may lead to.

    `words` are what the cell of the odd device must tell of the cause, where it fails.
    """

    codes: tuple[int, ...]
    words: str = ""
    quick: bool = False
    needs: tuple[str, ...] = field(default=())


OK, FAILS, EITHER = (0,), (3,), (0, 3)

ROWS = {
    # text
    "home-not-utf8": Row(EITHER),
    "file-not-utf8": Row(OK),
    "log-not-utf8": Row(OK, quick=True),
    "facts-not-utf8": Row(OK),
    "name-in-chinese": Row(OK),
    # waits
    "agent-stopped": Row(EITHER),
    "agent-paused": Row(OK),
    "supervisor-stopped": Row(FAILS),
    "agent-dies-again": Row(EITHER),
    "black-hole": Row(EITHER),
    "power-cut": Row(FAILS),
    "restarted": Row(OK, needs=("unshare",)),
    "never-ends": Row(FAILS, words="time limit"),
    "slow-forks": Row(OK),
    # start of the agent
    "preload-noise": Row(OK),
    "traced-shells": Row(OK, needs=("bash",)),
    "chatty-login": Row(OK, needs=("bash",)),
    "csh": Row(OK, needs=("csh",)),
    "tcsh": Row(OK, needs=("tcsh",)),
    "nologin": Row(FAILS, words="This account is currently not available"),
    "forced-command": Row(FAILS, words="backups only", quick=True),
    "agent-killed": Row(OK),
    "supervisor-killed": Row(OK),
    "connection-cut": Row(OK),
    "first-connect-reset": Row(OK),
    "first-connect-refused": Row(EITHER),
    # files of a round
    "own-logs": Row(OK),
    "logs-as-folders": Row(OK),
    "odd-names": Row(OK),
    "empty-name": Row(OK),
    "lying-sizes": Row(OK),
    "many-files": Row(EITHER),
    "huge-file": Row(EITHER),
    "huge-log": Row(EITHER),
}


def rows() -> list[Any]:
    found = []
    for name, row in ROWS.items():
        marks = [] if row.quick else [pytest.mark.long]
        found.append(pytest.param(name, id=name, marks=marks))
    return found


def test_every_oddity_has_a_row() -> None:
    assert ROWS.keys() == ODDITIES.keys()


@pytest.mark.parametrize("name", rows())
async def test_one_odd_device_of_five_costs_its_own_cells_at_most(
    name: str, farm: Farm, devices: Path
) -> None:
    row = ROWS[name]
    needs(*row.needs)
    wanted = dict.fromkeys(HEALTHY, Properties()) | {"odd": ODDITIES[name].properties}
    async with fleet(wanted, devices) as running:
        outcome = await bench(farm, running, *LIMITS)
        assert {device: len(running.devices[device].runs()) for device in HEALTHY} == dict.fromkeys(
            HEALTHY, 2
        )
    said = f"{outcome.code}: {outcome.stderr[-2000:]}"
    assert outcome.code in row.codes, said
    run = farm.folder / "runs" / "one"
    results = json.loads((run / "results.json").read_text("utf-8"))
    assert (run / "report.html").stat().st_size > 10_000
    cells = {cell["device"]: cell for cell in results["cells"]}
    healthy = {device: (cells[device]["status"], len(cells[device]["rounds"])) for device in HEALTHY}
    assert healthy == dict.fromkeys(HEALTHY, ("completed", 2)), said
    check_odd(cells["odd"], row, outcome.code, run)


def check_odd(cell: dict[str, Any], row: Row, code: int, run: Path) -> None:
    """Its cell is whole, or says why it is not and what to type next."""
    assert (cell["status"] == "completed") is (code == 0)
    if code == 0:
        assert len(cell["rounds"]) == 2
        logs = [run / one["path"] for one in cell["artifacts"] if one["role"] == "stderr"]
        assert len(logs) == 2
        assert all(b"=== total time" in log.read_bytes() for log in logs)
    else:
        assert cell["cause"] != "farm-fault", cell["error"]
        assert cell["error"]
        assert cell["hint"]
        assert row.words in cell["error"], cell["error"]
