"""A real NVIDIA GPU, through the device `local`: what is told of it, and that one newer than the wheel is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Model
from farm.model.options import Variant
from farm.model.run import CellStatus, DeviceStatus, RunStatus
from farm.options import parse
from farm.options.catalogue.device import WHEEL_COMPUTE_CAPABILITIES
from farm.run.bench import bench
from farm.run.context import Settings
from farm.store.artifacts import artifact_of
from farm.store.cache.products import ProductStore
from farm.store.cache.programs import ProgramStore
from farm.store.runs import RunDirectory
from tests.unit.plans import plan_of

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="needs an NVIDIA GPU"),
]

TINY = Path(__file__).parents[2] / "farm" / "bundled" / "tiny.mge"


def asked(*fields: str) -> list[list[str]]:
    """What nvidia-smi itself says."""
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split(", ") for line in lines]


@pytest.fixture
def checked(tmp_path: Path) -> dict[str, Any]:
    """What `farm devices check` says, with the fewest packages that it needs."""
    environment = os.environ | {
        "HOME": str(tmp_path),
        "FARM_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "farm", "devices", "check", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (device,) = json.loads(done.stdout)
    return device


def test_what_a_gpu_is_and_how_it_is_now_is_known(checked: dict[str, Any]) -> None:
    gpus = checked["facts"]["gpus"]
    fields = ("name", "driver_version", "compute_cap", "memory.total")
    assert [
        [gpu["name"], gpu["driver"], gpu["compute_capability"], str(gpu["memory_bytes"] >> 20)]
        for gpu in gpus
    ] == asked(*fields)
    for gpu in gpus:
        assert gpu["clock_mhz"] <= gpu["max_clock_mhz"]
        assert 0 < gpu["temperature_c"] < 120
        assert 0 < gpu["power_w"] < gpu["power_limit_w"] * 2
        assert isinstance(gpu["throttle_reasons"], list)
        assert gpu["performance_state"].startswith("P")
    print(json.dumps(gpus, indent=1))


async def test_a_gpu_that_is_newer_than_the_wheel_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """Not even the wheel is needed for it."""
    ((name, capability), *_) = asked("name", "compute_cap")
    if capability in WHEEL_COMPUTE_CAPABILITIES:
        pytest.skip(f"the wheel was built for {name}")
    device = Device("here", Address("local"), Runtime(RuntimeKind.WHEEL), workdir=str(tmp_path / "work"))
    plan = plan_of([device], [Model("tiny", artifact_of(TINY))], [Variant("cuda", parse(["--cuda"]))])
    settings = Settings(
        "test", tmp_path / "known_hosts", (), ProductStore(tmp_path / "p"), ProgramStore(tmp_path / "f")
    )
    began = time.monotonic()
    results = await bench(plan, RunDirectory.create(tmp_path, "one"), None, settings, print)
    (cell,) = results.cells
    assert (cell.status, results.status) == (CellStatus.SKIPPED, RunStatus.FAILED)
    assert name in cell.reason
    assert f"compute capability {capability}" in cell.reason
    assert results.devices[0].status is DeviceStatus.OK
    assert results.devices[0].pushed_files == 0
    assert list((tmp_path / "work" / "spool").iterdir()) == []
    print(f"{cell.reason} ({time.monotonic() - began:.1f} s)")
