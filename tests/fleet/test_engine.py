"""What farm needs of its engine, and what no row of a store makes a worker do."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from farm.errors import RequestError
from farm.fleet.database import Store
from farm.fleet.limits import limits
from farm.fleet.nouns import VERSION, store_url
from farm.fleet.schema import PickleError
from farm.model.limits.deadlines import Deadlines
from farm.sim.fleet import fleet
from farm.sim.properties import Properties
from tests.fleet.conftest import Lab
from tests.fleet.postgres import Postgres

FORGED = """
INSERT INTO {table} (workflow_uuid, status, name, queue_name, queue_partition_key, priority, inputs,
  serialization, application_version, created_at, updated_at, authenticated_user, recovery_attempts)
VALUES (:id, 'ENQUEUED', 'farm.lane', 'site-default', 'board', 1, :inputs, :how, :version, 1, 1, 'eve', 0)
"""


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.fixture
def store(postgres: Postgres) -> Iterator[Store]:
    made = Store(store_url(postgres.database()), Deadlines())
    made.open(may_make=True)
    yield made
    made.close()


def forge(store: Store, name: str, inputs: str, how: str, version: str = VERSION) -> None:
    table = "workflow_status" if store.url.is_sqlite else "dbos.workflow_status"
    with store.engine.begin() as connection:
        connection.execute(
            sa.text(FORGED.format(table=table)),
            {"id": name, "inputs": inputs, "how": how, "version": version},
        )


def test_a_row_that_is_a_pickle_is_refused_by_the_tables(store: Store) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="farm_no_pickle"):
        forge(store, "evil/board", "x", "py_pickle")


def test_a_pickle_is_refused_by_the_reader_too(tmp_path: Path) -> None:
    import dbos._serialization as serialization

    bomb = base64.b64encode(pickle.dumps({"args": (Bomb(tmp_path / "went-off"),), "kwargs": {}})).decode()
    for read in (serialization.deserialize_args, serialization.deserialize_value):
        with pytest.raises(PickleError):
            read(bomb, "py_pickle", serialization.DBOSPortableJSON)
    with pytest.raises(PickleError):
        serialization.deserialize_exception(bomb, "py_pickle", serialization.DBOSPortableJSON)
    assert not (tmp_path / "went-off").exists()


@pytest.mark.parametrize(("schema", "word"), [("1", "older"), ("99", "newer")])
def test_a_store_of_another_schema_is_refused_by_name(store: Store, schema: str, word: str) -> None:
    store.replace("schema", schema)
    with pytest.raises(RequestError, match=f"the {word} schema {schema}"):
        store.open()


def test_many_that_set_the_same_value_of_a_store_at_once_all_do(store: Store) -> None:
    def set_it(value: str) -> None:
        for _ in range(20):
            store.replace("most-waiting/lab", value)
            with store.transaction() as connection:
                connection.execute(sa.text("DELETE FROM farm_about WHERE key = 'most-waiting/lab'"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(set_it, "1234"))
    store.replace("most-waiting/lab", "5")
    assert store.recall("most-waiting/lab") == "5"


def test_a_limit_that_is_no_number_is_none(store: Store) -> None:
    store.replace("most-waiting/lab", "9" * 5000)
    assert limits(store) == ()


def test_a_store_of_a_newer_engine_is_refused(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE dbos.dbos_migrations SET version = 100000"))
    with pytest.raises(RequestError, match="newer engine"):
        store.open()


@pytest.mark.long
async def test_forged_lanes_fail_by_name_and_the_worker_goes_on(small: Lab, devices: Path) -> None:
    """Rows in a file have no constraint: the reader alone refuses the pickle."""
    async with fleet({"board": Properties()}, devices) as running:
        assert (await small.submit(running, "good")).code == 0
        store = Store(store_url(small.url), Deadlines())
        bomb = base64.b64encode(
            pickle.dumps({"args": (Bomb(small.folder / "went-off"),), "kwargs": {}})
        ).decode()
        forge(store, "evil/board", bomb, "py_pickle")
        absent = "0" * 64
        forge(store, "foreign/board", f'{{"positionalArgs":["{absent}"],"namedArgs":{{}}}}', "portable_json")
        forge(store, "../../up/board", '{"positionalArgs":[1]}', "portable_json")
        forge(store, "later/board", '{"positionalArgs":["x"]}', "portable_json", "farm-99.0")
        ended = await small.end_by_itself(small.worker(running, "--drain"))
        assert ended.code == 0, ended.stderr
        waiting = (await small("queue")).stdout
        good = await small.fetch("good")
        store.close()
    assert good.code == 0, good.stderr + ended.stderr
    assert not (small.folder / "went-off").exists()
    assert "does not have the file 000000000000" in ended.stderr
    assert "later" in waiting
    assert "foreign" not in waiting, "a lane that cannot be run waits for ever"


@pytest.mark.long
async def test_a_lane_of_another_version_waits_and_the_queue_says_for_what(lab: Lab, devices: Path) -> None:
    async with fleet({"board": Properties()}, devices) as running:
        assert (await lab.submit(running, "one")).code == 0
        store = Store(store_url(lab.url), Deadlines())
        forge(store, "later/board", "{}", "portable_json", "farm-99.0")
        store.close()
        worker = lab.worker(running)
        fetched = await lab.fetch("one")
        waiting = await lab("queue")
        await lab.end(worker)
    assert fetched.code == 0, fetched.stderr
    assert "needs a worker of farm-99.0" in waiting.stdout


async def test_what_is_wrong_with_a_submit_leaves_nothing_in_the_store(lab: Lab, devices: Path) -> None:
    async with fleet({"board": Properties()}, devices) as running:
        assert (await lab.submit(running, "one")).code == 0
        again = await lab.submit(running, "one")
        assert again.code == 2
        assert "was submitted before" in again.stderr
        baseline = await lab.submit(running, "two", "--baseline", "one")
        assert baseline.code == 2
        other = await lab("submit", "--inventory", str(running.inventory), "--artifacts", "file:///elsewhere")
        assert other.code == 2
        assert "this fleet has its artifacts in" in other.stderr
        queued = await lab("queue", "--json")
    assert [one["run"] for one in queued.results["lanes"]] == ["one"]
