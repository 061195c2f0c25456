"""A store, workers and simulated devices for `benchmarks.fleet`: real PostgreSQL and sshd, `farm` itself."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from farm.runtime.cache import default_root
from farm.sim.device import SimulatedDevice
from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Program, Properties
from tests.fleet.postgres import Postgres, programs_of_postgres

PATIENCE_S = 300.0
ROUNDS = 3
VARIANTS = 2
STEPS = "SELECT count(*) FROM dbos.operation_outputs WHERE workflow_uuid LIKE :lane"
LANES = "SELECT workflow_uuid, status, executor_id FROM dbos.workflow_status WHERE name = 'farm.lane'"
NOT_PASSED = {"SSH_AUTH_SOCK", "PYTHONDONTWRITEBYTECODE"}
COMPILED = "import farm.cli.main, farm.cli.fleet.worker, farm.fleet.worker, farm.fleet.live, farm.fleet.fetch"
"""As an installed farm is: a process that compiles its libraries takes longer, and keeps 15 MB more."""
BEATS = "SELECT id, beat FROM farm_workers WHERE ended_at IS NULL"


@dataclass(frozen=True)
class Ended:
    """A command that ended; `wall_s` with the start of Python."""

    code: int
    stdout: str
    stderr: str
    wall_s: float


@dataclass
class Worker:
    """A process of `farm worker`; `log` has what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def id(self) -> str:
        found = re.search(r"worker (\S+): \d+ devices", self.log.read_text(errors="replace"))
        return found[1] if found else ""

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Lab:
    """A new database in a server, a folder, and what runs there. Its calls block."""

    postgres: Postgres
    folder: Path
    url: str
    engine: sa.Engine
    bytecode: Path
    workers: list[Worker] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "HOME": str(self.folder / "home"), "FARM_CACHE_DIR": str(self.folder / "cache"),
            "FARM_STAT": "/dev/null", "FARM_SHARED": "/dev/null", "FARM_STORE": self.url, "COLUMNS": "200",
            "PYTHONPYCACHEPREFIX": str(self.bytecode),
        }  # fmt: skip
        return {key: text for key, text in os.environ.items() if key not in NOT_PASSED} | own

    def farm(self, *words: str) -> Ended:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "farm", *words], cwd=self.folder, env=self.environment, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S,
        )  # fmt: skip
        wall_s = time.monotonic() - began
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace"), wall_s)

    def start(self, *words: str, program: tuple[str, ...] = ("-m", "farm")) -> subprocess.Popen[bytes]:
        """A command that goes on; the caller ends it."""
        return subprocess.Popen(
            [sys.executable, *program, *words], cwd=self.folder, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def worker(self, inventory: Path, *words: str, program: tuple[str, ...] = ("-m", "farm")) -> Worker:
        """Started, and seen in the store."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, *program, "worker", "--inventory", str(inventory), *words],
                cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            )  # fmt: skip
        made = Worker(process, log)
        self.workers.append(made)
        until(lambda: bool(made.id) and dict(self.rows(BEATS)).get(made.id, 0) >= 1, "the worker is there")
        return made

    def submit(self, inventory: Path, run: str, *words: str) -> Ended:
        """Two variants of three rounds on each device; a lane each."""
        ended = self.farm(
            "submit", "--inventory", str(inventory), "--run-id", run, "--model", "bundled:tiny",
            "--variant", "plain=", "--variant", "nchw44=--enable-nchw44", "--rounds", str(ROUNDS),
            "--iter", "20", "--check", "off", "--seed", "1",
            "--artifacts", (self.folder / "shared").as_uri(), *words,
        )  # fmt: skip
        if ended.code:
            raise SystemExit(f"farm submit: {ended.stderr}")
        return ended

    def fetched(self, run: str) -> dict[str, list[str]]:
        """The rounds of a run, by device."""
        ended = self.farm("runs", "fetch", run, "--wait", str(PATIENCE_S - 60), "--json")
        if ended.code not in {0, 3}:
            raise SystemExit(f"farm runs fetch: {ended.stderr}")
        found: dict[str, list[str]] = {}
        for cell in json.loads(ended.stdout)["cells"]:
            rounds = [f"{cell['variant']} {one['kind']}-{one['index']}" for one in cell["rounds"]]
            found.setdefault(cell["device"], []).extend(rounds)
        return found

    def rows(self, asked: str, **values: str) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(asked), values)]

    def steps(self, lane: str) -> int:
        return int(self.rows(STEPS, lane=lane)[0][0])


@contextlib.contextmanager
def server() -> Iterator[Postgres]:
    """A PostgreSQL for one call. Exits where none is installed."""
    programs = programs_of_postgres()
    if programs is None:
        raise SystemExit("needs PostgreSQL's server (the package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="farm-postgres-"))
    made = Postgres(programs, folder)
    try:
        made.make()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(bytecode_of(made), ignore_errors=True)


def bytecode_of(postgres: Postgres) -> Path:
    """The folder beside its own that has the libraries compiled."""
    return postgres.folder.with_name(f"{postgres.folder.name}-bytecode")


@contextlib.contextmanager
def lab(postgres: Postgres) -> Iterator[Lab]:
    """A new database and folder; workers that are left are killed."""
    with tempfile.TemporaryDirectory(prefix="farm-fleet-") as name:
        folder = Path(name)
        for one in ("devices", "home", "cache"):
            (folder / one).mkdir()
        (folder / "cache" / "runtimes").symlink_to(default_root())
        url = postgres.database()
        engine = sa.create_engine(
            sa.make_url(url).set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=2
        )
        made = Lab(postgres, folder, url, engine, bytecode_of(postgres))
        subprocess.run([sys.executable, "-c", COMPILED], env=made.environment, check=True)
        try:
            yield made
        finally:
            for worker in made.workers:
                worker.end(signal.SIGKILL)
            engine.dispose()


@contextlib.asynccontextmanager
async def boards(folder: Path, count: int, round_s: float) -> AsyncIterator[Fleet]:
    """So many simulated devices, whose rounds of 20 iterations take so long."""
    wanted = Properties(Program(latency_ms=1000 * round_s / 20, pace=1.0))
    async with fleet({f"board-{number}": wanted for number in range(count)}, folder) as running:
        yield running


def until(is_so: Callable[[], bool], what: str, pause_s: float = 0.02) -> float:
    """Wait for it; the steady time of when it was so. Exits when it does not come to that."""
    ends = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > ends:
            raise SystemExit(f"it did not come to that: {what}")
        time.sleep(pause_s)
    return time.monotonic()


def is_free(device: SimulatedDevice) -> bool:
    """Whether nobody has its lease."""
    found = list((device.home / ".cache/farm/lease").glob("1*"))
    return bool(found) and str(max(found).readlink()) == "free"


def overlaps(device: SimulatedDevice) -> int:
    """How often a round began on a device before the one before had ended."""
    spans = sorted(device.spans(), key=lambda span: span.began_s)
    return sum(
        before.ended_s is None or after.began_s < before.ended_s
        for before, after in itertools.pairwise(spans)
    )


def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    return asyncio.to_thread(work, *arguments)
