"""Schedules in the store: add, list, remove."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from farm.errors import RequestError
from farm.fleet.database import SCHEDULES, Store, now
from farm.fleet.nightlies.times import next_s, zone_of
from farm.fleet.nouns import LONGEST_ID, VERSION, work_id

STAMP = "-20261127-020000"
"""So long is what a run's name has more than that of its schedule."""


@dataclass(frozen=True)
class Schedule:
    """A run that is begun again and again. `lanes` are device, site and digest of the document, which has the
    schedule's own name in the place of a run's; `head` is the digest of its plan. `last_how` says what became
    of the last time.
    """

    name: str
    user: str
    cron: str
    timezone: str
    priority: str
    version: str
    lanes: tuple[tuple[str, str, str], ...]
    head: str
    next_s: int
    last_run: str | None = None
    last_at: str | None = None
    last_how: str | None = None

    @property
    def sites(self) -> list[str]:
        return sorted({site for _, site, _ in self.lanes})

    @property
    def is_of_this_version(self) -> bool:
        return self.version == VERSION


def require_short(name: str, devices: list[str]) -> None:
    """Raises RequestError where the names of its runs would be too long for a device."""
    for device in devices:
        if len(work_id(name + STAMP, device)) > LONGEST_ID:
            raise RequestError(f"the name {name!r} is too long for the device {device}", hint="a shorter one")


def store_now_s(connection: sa.Connection) -> float:
    """By the clock of the store, which all workers share."""
    found: Any = connection.scalar(sa.select(sa.func.current_timestamp()))
    at = datetime.fromisoformat(found) if isinstance(found, str) else found
    return float((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def add(store: Store, wanted: Schedule, *, may_replace: bool = False) -> Schedule:
    """Keep a schedule; as it was kept, with its next time. Raises RequestError where there is one of that
    name, RunError.
    """
    with store.transaction() as connection:
        known = connection.scalar(sa.select(SCHEDULES.c.user).where(SCHEDULES.c.name == wanted.name))
        if known is not None and not may_replace:
            raise RequestError(
                f"{known} has a schedule {wanted.name} already",
                hint=f"--replace, or first: farm schedule remove {wanted.name}",
            )
        connection.execute(sa.delete(SCHEDULES).where(SCHEDULES.c.name == wanted.name))
        due_s = next_s(wanted.cron, zone_of(wanted.timezone), store_now_s(connection))
        connection.execute(
            sa.insert(SCHEDULES).values(
                name=wanted.name,
                user=wanted.user,
                cron=wanted.cron,
                timezone=wanted.timezone,
                priority=wanted.priority,
                farm_version=wanted.version,
                added_at=now(),
                lanes=json.dumps(wanted.lanes),
                plan_sha256=wanted.head,
                next_s=due_s,
            )
        )
        detail = f"{wanted.name}: {wanted.cron} {wanted.timezone}, {len(wanted.lanes)} lanes"
        store.note(connection, "schedule", (wanted.user, socket.gethostname()), detail=detail)
    return get(store, wanted.name)


def get(store: Store, name: str) -> Schedule:
    """Raises RequestError where there is none of that name, RunError."""
    for one in schedules(store):
        if one.name == name:
            return one
    raise RequestError(f"there is no schedule {name!r} in {store.url}", hint="farm schedule list")


def schedules(store: Store) -> tuple[Schedule, ...]:
    """All, the next first; one whose lanes cannot be read has none. Raises RunError."""
    with store.transaction() as connection:
        rows = connection.execute(sa.select(SCHEDULES).order_by(SCHEDULES.c.next_s, SCHEDULES.c.name))
        found = rows.mappings().all()
    return tuple(map(_schedule, found))


def _schedule(row: sa.RowMapping) -> Schedule:
    try:
        lanes = tuple(
            (str(device), str(site), str(sha256)) for device, site, sha256 in json.loads(row["lanes"])
        )
    except (ValueError, TypeError, RecursionError):
        lanes = ()
    names = ("name", "user", "cron", "timezone", "priority", "next_s", "last_run", "last_at", "last_how")
    return Schedule(
        version=row["farm_version"],
        lanes=lanes,
        head=row["plan_sha256"],
        **{name: row[name] for name in names},
    )


def remove(store: Store, name: str, user: str) -> Schedule:
    """It is not begun any more; a run of it that waits or runs goes on. Raises RequestError, RunError."""
    found = get(store, name)
    with store.transaction() as connection:
        connection.execute(sa.delete(SCHEDULES).where(SCHEDULES.c.name == name))
        store.note(connection, "unschedule", (user, socket.gethostname()), detail=name)
    return found


def run_now(store: Store, name: str, user: str) -> Schedule:
    """It is due at once, and then again at its times; a worker begins it. Raises RequestError, RunError."""
    found = get(store, name)
    with store.transaction() as connection:
        due_s = int(store_now_s(connection))
        connection.execute(sa.update(SCHEDULES).where(SCHEDULES.c.name == name).values(next_s=due_s))
        store.note(connection, "run-now", (user, socket.gethostname()), detail=name)
    return found
