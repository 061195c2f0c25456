"""The disk of this machine is full in the middle of what a device sends."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

from farm.sim.fleet import fleet
from farm.sim.properties import Program, Properties, Written
from tests.e2e.conftest import Farm
from tests.e2e.test_controller import needs_mount, on_a_small_disk

pytestmark = pytest.mark.sshd

MIB = 1 << 20
BIG = Properties(Program(writes=(Written("big.bin", size_bytes=6 * MIB),)))


@needs_mount
async def test_a_download_that_fills_the_disk_fails_its_cell_and_leaves_no_half_file_under_a_digest(
    farm: Farm, devices: Path
) -> None:
    async with fleet({"big": BIG, "small": Properties()}, devices) as running:
        words = (
            "bench",
            "--inventory",
            str(running.inventory),
            "--model",
            "bundled:tiny",
            "--run-id",
            "full",
        )
        outcome = await asyncio.to_thread(
            on_a_small_disk, farm, str(4 * MIB), *words, "--rounds", "2", "--check", "off", "--json"
        )
        left = [device.name for device in running.devices.values() if device.running()]
    assert outcome.code == 3, outcome.stderr
    assert "Traceback" not in outcome.stderr
    run = farm.folder / "kept" / "full"
    results = json.loads((run / "results.json").read_bytes())
    cells = {cell["device"]: cell for cell in results["cells"]}
    # The disk may be full in the moment in which it writes, too; then it says the same.
    small = cells["small"]
    assert small["cause"] == "controller-disk" or (small["status"], len(small["rounds"])) == ("completed", 2)
    assert (cells["big"]["status"], cells["big"]["cause"]) == ("failed", "controller-disk")
    assert "No space left on device" in cells["big"]["error"]
    files = [path for path in (run / "artifacts").rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    assert left == []
