"""A worker begins the runs of schedules that are due: whichever is first, and only one.

That a time has come and that its lanes wait is one transaction. Times at which no worker was there are made
up for once, and one that comes while the run before goes on is left out.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace

import sqlalchemy as sa
from dbos import DBOSClient

from farm.errors import RequestError
from farm.fleet.bundle import MOST_BYTES
from farm.fleet.client import client_of, lanes
from farm.fleet.database import SCHEDULES, Store, now
from farm.fleet.nightlies.kept import Schedule, schedules, store_now_s
from farm.fleet.nightlies.times import missed, next_s, stamp, zone_of
from farm.fleet.nouns import PRIORITIES, split_lane
from farm.fleet.shelf import LostError, Shelf
from farm.fleet.submit import Batch, enqueue
from farm.store.codec import results_from_json, results_to_json

MOST_PLAN_BYTES = 1 << 30
RETRY_S = 3600
"""Until a schedule that cannot be begun is tried again, where its own times are not known."""


@dataclass(frozen=True)
class Due:
    """A time of a schedule that has come, `times` of them since the last; the run that it becomes."""

    schedule: Schedule
    next_s: int
    times: int

    @property
    def run(self) -> str:
        return f"{self.schedule.name}-{stamp(self.schedule.next_s)}"

    @property
    def made_up(self) -> str:
        return f"; made up once for {self.times} times at which no worker was there" if self.times > 1 else ""


def fire(store: Store, shelf: Shelf, note: Callable[[str], None]) -> list[str]:
    """Begin what is due; the runs. Blocks. Raises RunError where the store or the storage cannot be used: it
    is due still then.
    """
    found = [one for one in schedules(store) if one.is_of_this_version]
    if not found:
        return []
    with store.transaction() as connection:
        now_s = store_now_s(connection)
    begun = []
    for one in found:
        if one.next_s > now_s:
            break
        try:
            due = _due(one, now_s)
            run = _begin(store, shelf, due)
        except RequestError as error:  # of this one: the others do not wait for it
            due = Due(one, int(now_s) + RETRY_S, 1)
            if _passed(store, due, f"was not begun: {error}"):
                note(f"schedule {one.name}: {error}")
            continue
        if run is not None:
            begun.append(run)
            note(f"schedule {one.name}: {run}{due.made_up}")
    return begun


def _due(schedule: Schedule, now_s: float) -> Due:
    """Raises RequestError for a row that names no time or no lane."""
    hint = f"farm schedule remove {schedule.name}"
    try:
        zone = zone_of(schedule.timezone)
    except RequestError as error:
        raise RequestError(f"its time zone {schedule.timezone!r} is not known here", hint=hint) from error
    try:
        after_s = next_s(schedule.cron, zone, now_s)
        times = missed(schedule.cron, zone, schedule.next_s, now_s)
        stamp(schedule.next_s)
        for device, _, _ in schedule.lanes:
            split_lane(f"{schedule.name}/{device}")
    except ValueError as error:  # croniter's errors are these, too
        raise RequestError(str(error), hint=hint) from error
    if not schedule.lanes:
        raise RequestError("its row in the store names no lane", hint=hint)
    if schedule.priority not in PRIORITIES:
        raise RequestError(f"{schedule.priority!r} is no priority", hint=hint)
    return Due(schedule, after_s, times)


def _begin(store: Store, shelf: Shelf, due: Due) -> str | None:
    """The run, or None where another worker was first, or the run before goes on."""
    schedule = due.schedule
    if schedule.last_run and (left := [one for one in lanes(store, schedule.last_run) if not one.is_over]):
        why = f"was left out: {len(left)} lanes of {schedule.last_run} are not over"
        _passed(store, due, why)
        return None
    try:
        batch = _batch(shelf, due)
        with client_of(store) as client, client._sys_db.engine.begin() as connection:  # noqa: SLF001
            return _enqueued(store, client, connection, due, batch)
    except (RequestError, LostError) as error:
        _passed(store, due, f"was not begun: {error}")
        return None


def _enqueued(
    store: Store, client: DBOSClient, connection: sa.Connection, due: Due, batch: Batch
) -> str | None:
    how = f"began {due.run}{due.made_up}"
    if not _is_first(connection, due, run=due.run, how=how):
        return None
    enqueue(store, client, connection, batch)
    who = (due.schedule.user, socket.gethostname())
    detail = f"schedule {due.schedule.name}, {len(batch.lanes)} lanes{due.made_up}"
    store.note(connection, "fire", who, run=due.run, detail=detail)
    return due.run


def _is_first(connection: sa.Connection, due: Due, *, how: str, run: str | None = None) -> bool:
    """Whether this time is this worker's: of two that write, the second finds another next time."""
    schedule = due.schedule
    values = {"next_s": due.next_s, "last_at": now(), "last_how": how} | ({"last_run": run} if run else {})
    done = connection.execute(
        sa.update(SCHEDULES)
        .where(
            SCHEDULES.c.name == schedule.name,
            SCHEDULES.c.next_s == schedule.next_s,
            SCHEDULES.c.plan_sha256 == schedule.head,
        )
        .values(**values)
    )
    return done.rowcount == 1


def _passed(store: Store, due: Due, how: str) -> bool:
    """Go on to the next time, and say why in the audit trail; False where another worker was first."""
    with store.transaction() as connection:
        if not _is_first(connection, due, how=how):
            return False
        who = (due.schedule.user, socket.gethostname())
        store.note(connection, "fire", who, detail=f"schedule {due.schedule.name} {how}")
        return True


def _batch(shelf: Shelf, due: Due) -> Batch:
    """The documents of the run, in the storage. Raises FarmError."""
    schedule, at = due.schedule, now()
    made = []
    for device, site, sha256 in schedule.lanes:
        data = shelf.get_bytes(sha256, MOST_BYTES)
        made.append((device, site, shelf.put_bytes(renamed(data, due.run, at))))
    planned = results_from_json(
        shelf.get_bytes(schedule.head, MOST_PLAN_BYTES), f"the plan of {schedule.name}"
    )
    head = shelf.put_bytes(results_to_json(replace(planned, run_id=due.run, started_at=at)))
    return Batch(due.run, schedule.user, schedule.priority, tuple(made), head)


def renamed(data: bytes, run: str, at: str) -> bytes:
    """The document of a lane, as that of another run. Raises RequestError for what is none."""
    try:
        value = json.loads(data)
        value["how"] |= {"run": run, "started_at": at}
        return json.dumps(value, sort_keys=True).encode()
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RequestError("its document is none of farm's", hint="farm schedule add it again") from error
