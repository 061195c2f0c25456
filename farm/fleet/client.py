"""The engine as those see it who run no lanes: enqueue, list, cancel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from dbos import DBOSClient

from farm.errors import RequestError
from farm.fleet.database import Store
from farm.fleet.nouns import queue_of, split_lane
from farm.fleet.schema import ENGINE, SERIALIZER, quiet_engine

APPLICATION = "farm"
LANE = "farm.lane"
"""The name of the workflow that runs a lane."""
WAITING, RUNNING = frozenset({"ENQUEUED", "DELAYED"}), frozenset({"PENDING"})
DONE, CANCELLED = "SUCCESS", "CANCELLED"
LONGEST_ERROR = 2000


@dataclass(frozen=True)
class LaneState:
    """What the engine says of a lane; `status` is its word."""

    id: str
    status: str
    site: str
    priority: int
    user: str
    worker: str | None
    version: str | None
    attempts: int

    @property
    def run(self) -> str:
        return split_lane(self.id)[0]

    @property
    def device(self) -> str:
        return split_lane(self.id)[1]

    @property
    def is_waiting(self) -> bool:
        return self.status in WAITING

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING

    @property
    def is_over(self) -> bool:
        return not (self.is_waiting or self.is_running)


@contextlib.contextmanager
def client_of(store: Store) -> Iterator[DBOSClient]:
    """Raises RunError where the store does not answer, in the block too."""
    quiet_engine(store)
    with store.named():
        client = DBOSClient(
            system_database_url=store.url.connect,
            serializer=SERIALIZER,
            application_name=APPLICATION,
            retry_connection_errors=False,
        )
        try:
            yield client
        finally:
            client.destroy()


def status_table(store: Store) -> sa.TableClause:
    """The engine's table of workflows, as far as farm reads it."""
    names = (
        *("workflow_uuid", "status", "name", "authenticated_user", "executor_id", "application_version"),
        *("queue_name", "priority", "created_at", "recovery_attempts"),
    )
    schema = None if store.url.is_sqlite else ENGINE
    return sa.table("workflow_status", *map(sa.column, names), schema=schema)


def lanes(
    store: Store, run: str | None = None, *, site: str | None = None, is_open: bool = False
) -> list[LaneState]:
    """Those of a run, or of a site, or all; in the order in which they are run. Rows that are no lanes are
    left out. Raises RunError.
    """
    table = status_table(store)
    asked = sa.select(table).where(table.c.name == LANE)
    if run is not None:
        asked = asked.where(table.c.workflow_uuid.like(f"{_literal(run)}/%", escape="\\"))
    if site is not None:
        asked = asked.where(table.c.queue_name == queue_of(site))
    if is_open:
        asked = asked.where(table.c.status.in_([*WAITING, *RUNNING]))
    with store.transaction() as connection:
        rows = connection.execute(asked.order_by(table.c.priority, table.c.created_at)).mappings().all()
    return [state for row in rows if (state := _state(row)) is not None]


def lanes_of(store: Store, run: str) -> list[LaneState]:
    """Those of a run. Raises RequestError where nobody submitted it, RunError."""
    found = lanes(store, run)
    if not found:
        raise RequestError(
            f"nobody submitted a run {run!r} to {store.url}", hint="farm queue lists what waits"
        )
    return found


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _state(row: sa.RowMapping) -> LaneState | None:
    queue = str(row["queue_name"] or "")
    state = LaneState(
        id=str(row["workflow_uuid"]),
        status=str(row["status"]),
        site=queue.removeprefix(queue_of("")),
        priority=int(row["priority"] or 0),
        user=str(row["authenticated_user"] or ""),
        worker=row["executor_id"],
        version=row["application_version"],
        attempts=int(row["recovery_attempts"] or 0),
    )
    try:
        split_lane(state.id)
    except ValueError:
        return None  # somebody else's
    return state


def steps_of(client: DBOSClient, lane: str) -> list[dict[str, Any]]:
    """What the finished steps of a lane recorded, in order. Raises RunError through `client_of`."""
    found = client.list_workflow_steps(lane)
    outputs = (step["output"] for step in sorted(found, key=lambda one: one["function_id"]))
    return [one for one in outputs if isinstance(one, dict)]


def failure_of(client: DBOSClient, lane: str) -> str:
    """Why a lane failed, in the engine's words."""
    found = client.list_workflows(workflow_ids=[lane], load_input=False)
    error = found[0].error if found else None
    return str(error)[:LONGEST_ERROR] if error is not None else "the engine gave it up without a reason"
