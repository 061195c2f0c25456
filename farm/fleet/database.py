"""The store: its connection, its version, and the tables that farm has beside the engine's own.

What goes wrong with it is a RunError or RequestError that names the store, never its password.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from farm.errors import RequestError, RunError
from farm.files import is_file
from farm.fleet.nouns import StoreUrl
from farm.model.limits.deadlines import Deadlines
from farm.visible import one_line

SCHEMA_VERSION = 2
LONGEST_REASON = 300
MOST_AUDITED = 1000
NO_RIGHT = "permission denied"

META = sa.MetaData()
ABOUT = sa.Table(
    "farm_about",
    META,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
WORKERS = sa.Table(
    "farm_workers",
    META,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("site", sa.Text, nullable=False, index=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("farm_version", sa.Text, nullable=False),
    sa.Column("parallel", sa.Integer, nullable=False),
    sa.Column("ttl_s", sa.Float, nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),  # by the store's clock
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("ended_at", sa.Text),
    sa.Column("ended_how", sa.Text),
)
RUNS = sa.Table(
    "farm_runs",
    META,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("submitted_at", sa.Text, nullable=False),
    sa.Column("farm_version", sa.Text, nullable=False),
    sa.Column("lanes", sa.Integer, nullable=False),
    sa.Column("plan_sha256", sa.Text, nullable=False),
)
SCHEDULES = sa.Table(
    "farm_schedules",
    META,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("cron", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("priority", sa.Text, nullable=False),
    sa.Column("farm_version", sa.Text, nullable=False),
    sa.Column("added_at", sa.Text, nullable=False),
    sa.Column("lanes", sa.Text, nullable=False),  # JSON
    sa.Column("plan_sha256", sa.Text, nullable=False),
    sa.Column("next_s", sa.BigInteger, nullable=False),  # since 1970, by the store's clock
    sa.Column("last_run", sa.Text),
    sa.Column("last_at", sa.Text),
    sa.Column("last_how", sa.Text),
)
AUDIT = sa.Table(
    "farm_audit",
    META,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("did", sa.Text, nullable=False),
    sa.Column("run", sa.Text),
    sa.Column("detail", sa.Text),
)


class Store:
    """One connection pool to a store. `close` it. Its calls block: not for an event loop's thread."""

    def __init__(self, url: StoreUrl, deadlines: Deadlines) -> None:
        self.url = url
        limit_s = max(1, int(deadlines.store_s))
        if url.is_sqlite:
            connect: dict[str, Any] = {"timeout": limit_s}
            self.engine = sa.create_engine(url.url, connect_args=connect)
        else:
            connect = {
                "connect_timeout": limit_s,
                "options": f"-c statement_timeout={limit_s * 1000}",
                "application_name": "farm",
            }
            self.engine = sa.create_engine(
                url.url.set(drivername="postgresql+psycopg"),
                connect_args=connect,
                pool_size=2,
                max_overflow=2,
                pool_pre_ping=True,
                pool_timeout=limit_s,
            )

    def close(self) -> None:
        self.engine.dispose()

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Errors of the database in this block as farm's own."""
        try:
            yield
        except SQLAlchemyError as error:
            raise self.error_of(error) from None  # its text may hold what was asked, and the URL

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """All or nothing. Raises RunError where the store does not answer."""
        with self.named(), self.engine.begin() as connection:
            yield connection

    def error_of(self, error: Exception) -> RunError:
        """What the database says, for people."""
        raw = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        why = one_line(self.url.hide(str(raw)), LONGEST_REASON)
        if NO_RIGHT in why:
            return RunError(
                f"the store {self.url} refuses it: {why}",
                hint="ask who runs the database for the rights: docs/how-to/fleet.md",
            )
        return RunError(
            f"the store {self.url} cannot be used: {why}",
            hint="is its server up, and the URL right? What was submitted stays there: type it again later",
        )

    def open(self, *, may_make: bool = False) -> None:
        """Use the store; `may_make`: make it where there is none yet. Raises RequestError where there is
        none, or one of another version, RunError where it cannot be reached.
        """
        with self.named():
            known = None if self._is_missing() else self._version()
        if known is None and not may_make:
            raise RequestError(
                f"there is no fleet in {self.url}: nothing was ever submitted to it",
                hint="farm submit --store URL --artifacts URL, or farm worker",
            )
        if known is not None and known != SCHEMA_VERSION:
            word, what = (
                ("newer", "update farm here") if known > SCHEMA_VERSION else ("older", "take a new one")
            )
            raise RequestError(
                f"the store {self.url} has the {word} schema {known}; this farm uses {SCHEMA_VERSION}",
                hint=f"{what}; all commands of a fleet use one version of farm",
            )
        from farm.fleet.schema import make_engine_schema  # imports the engine

        make_engine_schema(self)
        if known is None:
            with self.transaction() as connection:
                META.create_all(connection)
            self.remember("schema", str(SCHEMA_VERSION))

    def _is_missing(self) -> bool:
        """Whether the file of a SQLite store is not there: looking into it would make it."""
        return self.url.is_sqlite and not is_file(Path(str(self.url.url.database)))

    def _version(self) -> int | None:
        with self.engine.connect() as connection:
            if not sa.inspect(connection).has_table(ABOUT.name):
                return None
            text = connection.scalar(sa.select(ABOUT.c.value).where(ABOUT.c.key == "schema"))
        if text is None:
            return None
        return int(text) if text.isdecimal() else 0

    def recall(self, key: str) -> str | None:
        with self.transaction() as connection:
            return connection.scalar(sa.select(ABOUT.c.value).where(ABOUT.c.key == key))

    def remember(self, key: str, value: str) -> str:
        """Keep a value unless there is one; the one that is kept. Raises RunError."""
        with (
            self.named(),
            contextlib.suppress(sa.exc.IntegrityError),
            self.engine.begin() as connection,
        ):
            connection.execute(sa.insert(ABOUT).values(key=key, value=value))
        return self.recall(key) or value

    def replace(self, key: str, value: str) -> None:
        """Keep a value in the place of what there was. Raises RunError."""
        asked = sa.update(ABOUT).where(ABOUT.c.key == key).values(value=value)
        with self.transaction() as connection:
            is_there = connection.execute(asked).rowcount > 0
        if not is_there and self.remember(key, value) != value:  # another was faster
            with self.transaction() as connection:
                connection.execute(asked)

    def note(self, connection: sa.Connection, did: str, who: tuple[str, str], **more: str | None) -> None:
        """A line of the audit trail, in the transaction of what was done; `who` is user and host."""
        user, host = who
        connection.execute(
            sa.insert(AUDIT).values(
                number=time.time_ns() // 1000, at=now(), user=user, host=host, did=did, **more
            )
        )

    def audited(self) -> list[dict[str, Any]]:
        """The newest lines of the audit trail, the newest last. Raises RunError."""
        names = [AUDIT.c[name] for name in ("at", "user", "host", "did", "run", "detail")]
        with self.transaction() as connection:
            found = connection.execute(sa.select(*names).order_by(AUDIT.c.number.desc()).limit(MOST_AUDITED))
            return [{str(key): one[key] for key in one} for one in reversed(found.mappings().all())]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
