"""The engine's own tables, and what keeps forged rows from running code: no pickle is ever read."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any, NoReturn

import dbos._migration as migrations
import dbos._serialization as serialization
import sqlalchemy as sa
from dbos import DBOS

from farm.errors import RequestError
from farm.fleet.database import Store
from farm.visible import one_line

ENGINE = "dbos"
AGAIN_S = 60.0
"""After so long the same is told again."""
MOST_TOLD = 100
PICKLE = "py_pickle"
TABLES = ("workflow_status", "operation_outputs", "workflow_events", "notifications", "streams")
"""Those of the engine whose rows say how they are serialized."""


class PickleError(ValueError):
    """A row of the store asks for pickle, which would run its code."""


class _Refusing(serialization.Serializer):
    """In the place of the engine's default, which unpickles whatever a row says is pickled."""

    def serialize(self, data: Any) -> str:
        """The engine keeps why it refused such a row in the row's own format: as text, which nobody reads."""
        return str(data)

    def deserialize(cls, serialized_data: str) -> NoReturn:  # noqa: ARG002, N805 - as its base has it
        raise PickleError("a row of the store is a pickle: it was not written by farm")

    def name(self) -> str:
        return PICKLE


SERIALIZER = serialization.DBOSPortableJSONSerializer()


def refuse_pickle() -> None:
    """From now on no row makes this process unpickle anything."""
    serialization.DBOSDefaultSerializer = _Refusing()


refuse_pickle()


def make_engine_schema(store: Store) -> None:
    """Make or update the engine's tables. Raises RequestError for those of a newer engine, RunError where
    that cannot be done.
    """
    if is_older(store):
        try:
            DBOS.migrate(store.url.connect)
        except Exception as error:  # noqa: BLE001 - whatever the engine raises
            raise store.error_of(error) from None
    if not store.url.is_sqlite:
        for table in TABLES:
            _forbid_pickle(store, table)


def is_older(store: Store) -> bool:
    """Whether the engine's tables are missing, or an older engine's. Raises RequestError for those of a newer
    one, RunError where the store cannot be reached.
    """
    with store.named():
        if store.url.is_sqlite:
            current, latest = migrations.get_sqlite_migration_versions(store.engine)
        else:
            current, latest = migrations.get_migration_versions(store.engine, ENGINE, True)
    if current > latest:
        raise RequestError(
            f"the store {store.url} belongs to a newer engine (schema {current}, this one knows {latest})",
            hint="pip install --upgrade 'megengine-farm[fleet]'",
        )
    return bool(current < latest)


def _forbid_pickle(store: Store, table: str) -> None:
    name = f"farm_no_pickle_{table}"
    asked = "SELECT 1 FROM pg_constraint WHERE conname = :name"
    there = (
        "SELECT 1 FROM information_schema.columns WHERE table_schema = :schema AND table_name = :name "
        "AND column_name = 'serialization'"
    )
    with store.transaction() as connection:
        if connection.scalar(sa.text(asked), {"name": name}):
            return
        if not connection.scalar(sa.text(there), {"schema": ENGINE, "name": table}):
            return
        connection.execute(
            sa.text(
                f"ALTER TABLE {ENGINE}.{table} ADD CONSTRAINT {name} "
                f"CHECK (serialization IS DISTINCT FROM '{PICKLE}')"
            )
        )


class _Said(logging.Handler):
    """What the engine logs, as notes of farm: on one line, and without the password."""

    def __init__(self, store: Store, note: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._store, self._note = store, note
        self._told_at: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        text = self._store.url.hide(record.getMessage())
        if record.exc_info and record.exc_info[1] is not None:
            text += f" {self._store.url.hide(str(record.exc_info[1]))}"
        text = one_line(text, 200)
        now_s = time.monotonic()
        told_at = self._told_at.get(text, -AGAIN_S)
        if now_s - told_at >= AGAIN_S:  # a store that is away is told of once a minute, not each second
            if len(self._told_at) >= MOST_TOLD:
                self._told_at.clear()
            self._told_at[text] = now_s
            with contextlib.suppress(Exception):
                self._note(f"engine: {text}")


def listen_to_engine(store: Store, note: Callable[[str], None]) -> None:
    """All that the engine would print goes to `note`."""
    log = logging.getLogger("dbos")
    log.handlers = [_Said(store, note)]
    log.propagate = False


def quiet_engine(store: Store) -> None:
    """Nothing of what the engine would print."""
    listen_to_engine(store, lambda _text: None)
