"""`farm runs index`: the database is what the folders of the runs are, whatever these hold."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from farm.errors import RequestError, RunError
from farm.history import database, migrations
from farm.history.database import opened, shown
from farm.history.index import update
from farm.history.place import folder_of
from farm.history.query import Wanted, series
from farm.history.tables import METADATA
from farm.model.comparison import Change, Duel
from farm.model.run import RunStatus
from farm.store.sources import sources
from tests.unit.history.nights import keep, name_of, night


def quiet(_done: int, _total: int) -> None:
    """Progress that nobody wants to see."""


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    for number in range(3):
        keep(folder, night(number))
    return folder


@pytest.fixture
def where(tmp_path: Path) -> str:
    return str(tmp_path / "farm.db")


def indexed(where: str, runs: Path, *, anew: bool = False):
    return update(where, runs, sources(runs), quiet, anew=anew)


def all_series(where: str, runs: Path):
    with opened(where) as connection:
        return list(series(connection, Wanted(folder_of(runs))))


def test_a_second_update_reads_nothing_and_of_a_change_only_that_run(runs: Path, where: str) -> None:
    first = indexed(where, runs)
    assert (first.runs, first.read, first.series, first.points) == (3, 3, 1, 3)
    assert indexed(where, runs).read == 0
    keep(runs, night(1, lambda _: 2.0))
    again = indexed(where, runs)
    assert (again.runs, again.read, again.points) == (3, 1, 3)
    [found] = all_series(where, runs)
    assert [one.run for one in found.points] == [name_of(number) for number in range(3)]
    assert found.points[1].median_ms == pytest.approx(20, rel=0.1)


def test_a_database_that_is_removed_is_made_again_as_it_was(runs: Path, where: str) -> None:
    indexed(where, runs)
    before = all_series(where, runs)
    Path(where).unlink()
    indexed(where, runs)
    assert all_series(where, runs) == before
    assert indexed(where, runs, anew=True).read == 3
    assert all_series(where, runs) == before


def test_a_point_has_the_values_of_its_rounds_to_the_last_digit_and_what_they_belong_to(
    runs: Path, where: str
) -> None:
    indexed(where, runs)
    made = night(0).cells[0]
    [found] = all_series(where, runs)
    point = found.points[0]
    assert point.values_ms == tuple(one.value_ms for one in made.rounds)
    assert point.median_ms == made.summary.median_ms
    assert point.context["kernel"] == "6.1.0"
    assert point.context["model"] == "a" * 12
    assert found.key.id == made.id


def test_one_database_may_have_several_folders_that_do_not_know_each_other(
    runs: Path, where: str, tmp_path: Path
) -> None:
    indexed(where, runs)
    keep(tmp_path / "other", night(0, lambda _: 3.0))
    made = indexed(where, tmp_path / "other")
    assert (made.runs, made.removed, made.points) == (1, 0, 1)
    assert indexed(where, runs).read == 0
    assert [len(one.points) for one in all_series(where, runs)] == [3]
    [other] = all_series(where, tmp_path / "other")
    assert [round(one.median_ms, -1) for one in other.points] == [30]


def test_a_series_without_a_run_is_no_series_any_more(runs: Path, where: str) -> None:
    made = night(9)
    keep(runs, replace(made, cells=(replace(made.cells[0], model="gone"),)))
    assert indexed(where, runs).series == 2
    shutil.rmtree(runs / name_of(9))
    assert indexed(where, runs).series == 1
    with sqlite3.connect(where) as connection:
        assert connection.execute("SELECT count(*) FROM series").fetchall() == [(1,)]


def test_a_run_without_a_folder_is_forgotten(runs: Path, where: str) -> None:
    indexed(where, runs)
    shutil.rmtree(runs / name_of(1))
    again = indexed(where, runs)
    assert (again.runs, again.removed, again.points) == (2, 1, 2)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\x00", b'{"schema_version": 99}', b"[" * 100_000])
def test_a_run_that_cannot_be_read_is_remembered_as_such_and_costs_no_other(
    runs: Path, where: str, text: bytes
) -> None:
    (runs / name_of(1) / "results.json").write_bytes(text)
    made = indexed(where, runs)
    assert (made.runs, made.unreadable, made.points) == (3, 1, 2)
    with sqlite3.connect(where) as connection:
        [(problem,)] = connection.execute("SELECT problem FROM run WHERE status = 'unreadable'")
    assert problem
    assert indexed(where, runs).read == 0


def test_a_run_that_goes_on_is_read_each_time(runs: Path, where: str) -> None:
    keep(runs, replace(night(1), status=RunStatus.RUNNING))
    indexed(where, runs)
    with sqlite3.connect(where) as connection:
        connection.execute("UPDATE run SET status = 'running' WHERE key = ?", (name_of(1),))
    assert indexed(where, runs).read == 1


@pytest.mark.parametrize("is_canary", [True, False])
def test_what_is_another_cell_once_more_is_no_series(tmp_path: Path, where: str, is_canary: bool) -> None:
    """The twin of a canary, and the bytes of an earlier run."""
    made = night(0)
    twin = replace(made.cells[0], build="twin")
    duel = Duel(made.cells[0].id, twin.id, Change.NOTHING, is_canary=True)
    if not is_canary:
        duel = Duel(twin.id, made.cells[0].id, Change.BUILD, since="night-old")
    keep(tmp_path / "one", replace(made, cells=(*made.cells, twin), duels=(duel,)))
    assert indexed(where, tmp_path / "one").series == 1


def test_names_and_values_of_a_hostile_device_are_text_of_bounded_length(tmp_path: Path, where: str) -> None:
    made = night(0)
    cell = replace(made.cells[0], device="arm\x1b[2J\n\ud800'; DROP TABLE run; --", variant="v" * 10_000)
    keep(tmp_path / "one", replace(made, cells=(cell,)))
    indexed(where, tmp_path / "one")
    [found] = all_series(where, tmp_path / "one")
    assert "\x1b" not in found.key.device
    assert len(found.key.variant) < 600


def test_an_update_that_ends_half_way_keeps_what_it_did(
    runs: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.history.index.AT_ONCE", 1)

    def told(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update(where, runs, sources(runs), told)
    assert [one.run for one in all_series(where, runs)[0].points] == [name_of(0), name_of(1)]
    assert indexed(where, runs).read == 1


def test_the_migrations_make_the_tables_that_the_code_reads(where: str) -> None:
    with opened(where) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_the_newest_version_is_the_one_that_the_code_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


def test_a_database_of_a_newer_farm_is_left_alone(runs: Path, where: str) -> None:
    indexed(where, runs)
    with sqlite3.connect(where) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = Path(where).read_bytes()
    with pytest.raises(RequestError, match=r"a newer farm made the database .*9999") as caught:
        indexed(where, runs)
    assert "--database" in caught.value.hint
    assert Path(where).read_bytes() == before


def test_a_database_that_another_farm_writes_to_is_waited_for_and_then_named(
    runs: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed(where, runs)
    monkeypatch.setattr(database, "WAIT_S", 0.2)
    keep(runs, night(3))
    with sqlite3.connect(where) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RunError, match=r"another farm has been writing to it for more than 0\.2 s"):
            indexed(where, runs)
    assert indexed(where, runs).points == 4


def test_reading_does_not_wait_for_who_reads(runs: Path, where: str) -> None:
    indexed(where, runs)
    with opened(where) as one, opened(where) as other:
        assert (
            one.scalar(text("SELECT count(*) FROM run"))
            == other.scalar(text("SELECT count(*) FROM run"))
            == 3
        )


def test_what_is_no_database_is_named_and_left_alone(runs: Path, where: str) -> None:
    Path(where).write_text("a file of somebody else, which is long enough not to be empty")
    with pytest.raises(RunError, match="file is not a database") as caught:
        indexed(where, runs)
    assert "farm runs index" in caught.value.hint
    assert Path(where).read_text().startswith("a file of somebody else")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("/no/such/folder/farm.db", "unable to open database file"),
        ("/", "unable to open database file"),
        ("nosuchkind://host/farm", "unknown kind of database: nosuchkind://host/farm"),
        ("sqlite+nosuchdriver:///x", "unknown kind of database"),
        ("://", "no database"),
        ("mssql+pyodbc://farm:secret@localhost:1/farm", "needs a Python package that is not installed"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named_without_its_password(where: str, message: str) -> None:
    with pytest.raises((RequestError, RunError), match=message) as caught:
        indexed(where, Path(__file__).parent)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("runs/farm.db", "runs/farm.db"),
        ("postgresql://farm:secret@host/farm", "postgresql://farm:***@host/farm"),
        ("postgresql://farm:secret@host:port/farm", "(a URL that cannot be read)"),
    ],
)
def test_a_password_is_never_shown(where: str, text: str) -> None:
    assert shown(where) == text
