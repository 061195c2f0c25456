"""The database: SQLite in a file, or any other that SQLAlchemy opens by its URL. It is never the only copy of
anything: `farm runs index` makes it again from the folders of the runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.pool import NullPool

from farm.errors import FarmError, RequestError, RunError
from farm.history.migrations import NewerError, upgrade
from farm.visible import one_line

WAIT_S = 10.0
"""How long another farm that writes to the same database is waited for."""

LIMITS: dict[str, dict[str, Any]] = {
    "postgresql": {"connect_timeout": int(WAIT_S), "options": f"-c lock_timeout={int(WAIT_S * 1000)}"},
    "mysql": {"connect_timeout": int(WAIT_S)},
    "mariadb": {"connect_timeout": int(WAIT_S)},
}
"""The same for those that are on another machine, by kind: what their drivers take."""

EXTRAS = {"psycopg": "'megengine-farm[postgresql]'"}
"""Packages that farm names: what to install."""

LONGEST_REASON = 200
EXAMPLES = "a file, or a URL such as postgresql+psycopg://user@host/farm"


@contextmanager
def opened(where: str, *, writes: bool = False) -> Iterator[Connection]:
    """A connection in a transaction, with the tables of this version: what is written is there at the end,
    or nothing of it. `where` is a file or a URL. Who `writes` says so: two that begin to read and then write
    would wait for each other.

    Raises RequestError where there is no such kind of database or a newer farm made it, RunError where it
    cannot be opened, read or written.
    """
    try:
        engine = engine_of(where, writes=writes)
        try:
            with engine.begin() as connection:
                upgrade(connection)
                yield connection
        finally:
            engine.dispose()
    except NewerError as error:
        raise RequestError(
            f"a newer farm made the database {shown(where)} ({error})",
            hint="use that farm, or another file: --database FILE (it is made again from the runs)",
        ) from error
    except DBAPIError as error:
        raise _failed(where, error) from error


def shown(where: str) -> str:
    """Without the password that a URL may have."""
    if "://" not in where:
        return where
    try:
        return make_url(where).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "(a URL that cannot be read)"  # it may have a password all the same


def engine_of(where: str, *, writes: bool) -> Engine:
    """As SQLAlchemy has it, with the limits of farm. Raises RequestError where there is no such database."""
    try:
        url = make_url(where) if "://" in where else URL.create("sqlite", database=where)
        engine = create_engine(url, poolclass=NullPool, connect_args=LIMITS.get(url.get_backend_name(), {}))
    except NoSuchModuleError as error:
        raise RequestError(f"unknown kind of database: {shown(where)}", hint=EXAMPLES) from error
    except (ArgumentError, ValueError) as error:
        raise RequestError(f"no database: {shown(where)}", hint=EXAMPLES) from error
    except ImportError as error:
        raise RequestError(
            f"{shown(where)} needs a Python package that is not installed: {error.name}",
            hint=f"pip install {EXTRAS.get(error.name or '', error.name)}",
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _as_transactions)
        begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _as_transactions(connection: Any, _record: Any) -> None:
    """Python's sqlite3 begins transactions late, and ends them before tables are made: SQLAlchemy does it.

    Source: SQLAlchemy's documentation of SQLite, "Transactions with SQLite".
    """
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {int(WAIT_S * 1000)}")
    connection.execute("PRAGMA foreign_keys = ON")


def _failed(where: str, error: DBAPIError) -> FarmError:
    reason = one_line(str(error.orig), LONGEST_REASON)
    hint = "use another --database"
    if "locked" in reason:
        reason = f"another farm has been writing to it for more than {WAIT_S:g} s"
        hint = "try again when it is done"
    elif isinstance(error, IntegrityError):
        reason, hint = "another farm wrote the same runs", "try again"
    elif isinstance(error, DatabaseError) and not isinstance(error, OperationalError):
        hint = (
            "remove it and type `farm runs index`: it is made again from the runs; or use another --database"
        )
    return RunError(f"cannot use the database {shown(where)}: {reason}", hint=hint)
