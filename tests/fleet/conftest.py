"""Stores of a fleet: a real PostgreSQL on this machine, or a file; and `farm` that works with one."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from farm.sim.fleet import Fleet
from farm.sim.properties import Program, Properties
from tests.e2e.conftest import Farm, Outcome
from tests.fleet.postgres import PATIENCE_S, Postgres, programs_of_postgres
from tests.forked import Forked, Forks

# Rounds of about half a second, so that there is a middle to be killed in.
SLOW = Properties(Program(latency_ms=20.0, pace=1.0))
ASKED = (
    *("--model", "bundled:tiny", "--variant", "plain=", "--variant", "nchw44=--enable-nchw44"),
    *("--rounds", "3", "--iter", "20", "--check", "off", "--seed", "1"),
)
WHOLE = [f"{variant} timed-{index}" for variant in ("nchw44", "plain") for index in range(3)]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    programs = programs_of_postgres()
    if programs is None:
        pytest.skip("needs PostgreSQL's server (the package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="farm-postgres-"))  # nobody may not enter pytest's own folders
    server = Postgres(programs, folder)
    try:
        server.make()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Lab:
    """A store, the shared storage, and `farm` beside them."""

    farm: Farm
    url: str

    @property
    def folder(self) -> Path:
        return self.farm.folder

    def words(self, *words: str) -> tuple[str, ...]:
        return (*words, "--store", self.url)

    async def __call__(self, *words: str) -> Outcome:
        """A command of the fleet."""
        return await asyncio.to_thread(self.farm, *self.words(*words))

    async def submit(self, running: Fleet, run: str, *words: str) -> Outcome:
        given = ("submit", "--inventory", str(running.inventory), *ASKED, "--run-id", run, *words)
        shared = () if "--artifacts" in words else ("--artifacts", (self.folder / "shared").as_uri())
        return await self(*given, *shared)

    def worker(self, running: Fleet, *words: str) -> Forked:
        given = ("worker", "--inventory", str(running.inventory), "--ttl", "4", *words)
        return self.farm.start(*self.words(*given))

    async def end(self, process: Forked, number: signal.Signals = signal.SIGTERM) -> Outcome:
        return await asyncio.to_thread(self.farm.interrupt, process, number)

    async def end_by_itself(self, process: Forked) -> Outcome:
        return await asyncio.to_thread(self.farm.end, process)

    async def fetch(self, run: str, *, patience_s: int = PATIENCE_S) -> Outcome:
        return await self("runs", "fetch", run, "--wait", str(patience_s), "--json")


async def until(is_so: Callable[[], bool], why: str = "") -> None:
    ends = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends, why or "it did not come to that"
        await asyncio.sleep(0.05)


def rounds_of(results: dict[str, Any], device: str = "board") -> list[str]:
    """Of a device, by variant."""
    return sorted(
        f"{cell['variant']} {one['kind']}-{one['index']}"
        for cell in results["cells"]
        if cell["device"] == device
        for one in cell["rounds"]
    )


async def kill(process: Forked) -> None:
    os.kill(process.pid, signal.SIGKILL)
    await asyncio.to_thread(process.communicate)


@pytest.fixture
def farm(tmp_path: Path, forks: Forks) -> Farm:
    return Farm(tmp_path, forks)


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """The folder in which devices live."""
    folder = tmp_path / "devices"
    folder.mkdir()
    return folder


@pytest.fixture
def lab(farm: Farm, postgres: Postgres) -> Lab:
    return Lab(farm, postgres.database())


@pytest.fixture
def small(farm: Farm) -> Lab:
    """On one machine, with a file."""
    return Lab(farm, f"sqlite:///{farm.folder / 'store.db'}")
