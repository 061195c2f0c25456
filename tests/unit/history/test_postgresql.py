"""The same database on a real PostgreSQL server, by its URL. Needs PostgreSQL's programs and psycopg."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from farm.errors import RequestError, RunError
from farm.history import database
from farm.history.database import opened
from farm.history.tables import METADATA
from tests.unit.history.nights import keep, name_of, night
from tests.unit.history.test_index import all_series, indexed

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
PORT = 54_000 + os.getpid() % 1000


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Its URL. The server refuses to be root's: then it is nobody's."""
    if not PROGRAMS:
        pytest.skip("needs PostgreSQL's server")
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'megengine-farm[postgresql]'")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    shutil.chown(folder, user)

    def run(program: str, *words: str) -> None:
        subprocess.run(
            [PROGRAMS[-1] / program, "-D", folder / "data", *words], check=True, cwd=folder, user=user,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip

    run("initdb", "-A", "trust", "-U", "farm")
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-p {PORT} -k {folder} -h 127.0.0.1", "start")
    yield f"postgresql+psycopg://farm@127.0.0.1:{PORT}/postgres"
    run("pg_ctl", "-w", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture
def where(server: str) -> Iterator[str]:
    yield server
    with opened(server, writes=True) as connection:
        for table in ("point", "run", "series", "context", "alembic_version"):
            connection.execute(text(f"DROP TABLE {table}"))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for number in range(3):
        keep(tmp_path / "runs", night(number))
    return tmp_path / "runs"


def test_what_sqlite_remembers_postgresql_remembers(runs: Path, where: str, tmp_path: Path) -> None:
    made = indexed(where, runs)
    assert (made.runs, made.read, made.series, made.points) == (3, 3, 1, 3)
    assert indexed(where, runs).read == 0
    other = str(tmp_path / "farm.db")
    indexed(other, runs)
    assert all_series(where, runs) == all_series(other, runs)
    shutil.rmtree(runs / name_of(1))
    assert (indexed(where, runs).removed, indexed(where, runs).points) == (1, 2)


def test_the_migrations_make_the_same_tables_there(where: str) -> None:
    with opened(where) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_a_table_that_another_holds_is_waited_for_and_then_named(
    runs: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed(where, runs)
    keep(runs, night(3))
    holds, done = threading.Event(), threading.Event()

    def hold() -> None:
        with opened(where, writes=True) as connection:
            connection.execute(text("LOCK TABLE run IN ACCESS EXCLUSIVE MODE"))
            holds.set()
            done.wait(30)

    other = threading.Thread(target=hold)
    other.start()
    holds.wait(30)
    limits = {"postgresql": {"connect_timeout": 10, "options": "-c lock_timeout=200"}}
    monkeypatch.setattr(database, "LIMITS", limits)
    with pytest.raises(RunError, match="lock timeout"):
        indexed(where, runs)
    done.set()
    other.join()
    assert indexed(where, runs).points == 4


def test_a_server_of_a_newer_farm_or_none_is_named(runs: Path, where: str) -> None:
    indexed(where, runs)
    with opened(where, writes=True) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(RequestError, match="a newer farm made the database"):
            indexed(where, runs)
    finally:
        with database.engine_of(where, writes=True).begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(RunError, match="refused"):
        indexed(where.replace(str(PORT), "1"), runs)
