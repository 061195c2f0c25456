"""Simulated devices, and `farm` that works on them while they run in the event loop of the test."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from farm.sim.device import SimulatedDevice
from farm.sim.fleet import Fleet
from tests.e2e.conftest import Farm, Outcome
from tests.forked import Forks

SSH = (
    "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
    "-o", "LogLevel=ERROR", "-o", "IdentityAgent=none",
)  # fmt: skip


async def bench(farm: Farm, fleet: Fleet, *words: str) -> Outcome:
    """`farm bench` of one small model on all devices. One that does not end is killed and fails the test."""
    given = ("--model", "bundled:tiny", "--rounds", "2", "--json", "--run-id", "one", *words)
    process = farm.start("bench", "--inventory", str(fleet.inventory), *given)
    try:
        return await asyncio.to_thread(farm.end, process)
    finally:
        process.kill()
        process.communicate()


async def ssh(device: SimulatedDevice, command: str) -> subprocess.CompletedProcess[bytes]:
    """What OpenSSH's client gets from a command on the device."""
    entry = device.entry()
    words = (*SSH, "-p", str(device.port), "-i", str(entry["identity"]), str(entry["address"]), command)
    return await asyncio.to_thread(
        subprocess.run, words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60
    )


def needs(*programs: str) -> None:
    """Skip where one of them is not installed."""
    for name in programs:
        if shutil.which(name) is None:
            pytest.skip(f"needs {name}")


@pytest.fixture
def farm(tmp_path: Path, forks: Forks) -> Farm:
    return Farm(tmp_path, forks)


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """The folder in which devices live."""
    folder = tmp_path / "devices"
    folder.mkdir()
    return folder
