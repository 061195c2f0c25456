"""More devices than this process may have files open for."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from farm.sim.fleet import fleet
from farm.sim.properties import Properties
from farm.transport.pool import FILES_OF_FARM, FILES_PER_DEVICE

PRINT = "from farm.transport.pool import places_for; print(places_for(1000))"


def limited(soft: int, hard: int, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Python with these limits of open files."""
    limits = f'ulimit -Sn {soft} && ulimit -Hn {hard} && exec "$@"'
    environment = {**os.environ, "HOME": str(folder), "FARM_STAT": "/dev/null"}
    return subprocess.run(
        ["sh", "-c", limits, "sh", sys.executable, *words], env=environment, cwd=folder, text=True,
        capture_output=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("soft", "hard", "places"),
    [(256, 256, (256 - FILES_OF_FARM) // FILES_PER_DEVICE), (256, 9000, 1000), (64, 64, 1)],
)
def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be(
    tmp_path: Path, soft: int, hard: int, places: int
) -> None:
    assert limited(soft, hard, "-c", PRINT, folder=tmp_path).stdout == f"{places}\n"


async def test_devices_for_which_there_are_no_open_files_wait_for_others(tmp_path: Path) -> None:
    few = FILES_OF_FARM + 2 * FILES_PER_DEVICE
    async with fleet({f"d{number}": Properties() for number in range(4)}, tmp_path) as running:
        words = ("-m", "farm", "bench", "--inventory", str(running.inventory), "--model", "bundled:tiny")
        ended = await asyncio.to_thread(
            limited, few, few, *words, "--rounds", "1", "--iter", "2", "--json", folder=tmp_path
        )
    assert ended.returncode == 0, ended.stderr
    assert {cell["status"] for cell in json.loads(ended.stdout)["cells"]} == {"completed"}
    waited = [line for line in ended.stderr.splitlines() if "waits for one of 2 places" in line]
    assert [line.partition(":")[0] for line in waited] == ["d2", "d3"]
