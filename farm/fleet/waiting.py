"""Who waits for what, and why: `farm queue`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from farm.fleet.client import LaneState, lanes
from farm.fleet.database import WORKERS, Store
from farm.fleet.limits import Limits, limits
from farm.fleet.nouns import VERSION

LATE = 2.0
"""So many times to live without a sign of life, by the clock of the store, and a worker is not counted on."""


@dataclass(frozen=True)
class WorkerState:
    """A worker that has not ended. `silent_s` is how long ago its last sign of life was."""

    id: str
    site: str
    host: str
    version: str
    parallel: int
    ttl_s: float
    silent_s: float

    @property
    def is_alive(self) -> bool:
        return self.silent_s <= self.ttl_s * LATE


@dataclass(frozen=True)
class Entry:
    """A lane that is not over, and what it waits for, or where it runs."""

    lane: LaneState
    reason: str


@dataclass(frozen=True)
class Queue:
    entries: tuple[Entry, ...]
    workers: tuple[WorkerState, ...]
    limits: tuple[Limits, ...] = ()


def queue(store: Store, site: str | None = None) -> Queue:
    """Of a site, or of all. Raises RunError."""
    found, present = lanes(store, site=site, is_open=True), workers(store)
    here = tuple(one for one in present if site is None or one.site == site)
    return Queue(tuple(explained(found, present)), here, limits(store, site))


def workers(store: Store) -> tuple[WorkerState, ...]:
    """Those that have not ended, by site. Raises RunError."""
    asked = (
        sa.select(WORKERS, sa.func.current_timestamp().label("now"))
        .where(WORKERS.c.ended_at.is_(None))
        .order_by(WORKERS.c.site, WORKERS.c.id)
    )
    with store.transaction() as connection:
        rows = connection.execute(asked).mappings().all()
    return tuple(
        WorkerState(
            row["id"],
            row["site"],
            row["host"],
            row["farm_version"],
            row["parallel"],
            row["ttl_s"],
            _since_s(row["beat_at"], row["now"]),
        )
        for row in rows
    )


def _since_s(then: datetime, now: datetime | str) -> float:
    """SQLite has texts, and no zones: both are its own."""
    at = datetime.fromisoformat(now) if isinstance(now, str) else now
    return max(0.0, (at.replace(tzinfo=None) - then.replace(tzinfo=None)).total_seconds())


def explained(found: Sequence[LaneState], present: Sequence[WorkerState]) -> Iterable[Entry]:
    """Each lane with its reason; `found` in the order in which they are run."""
    alive = [one for one in present if one.is_alive]
    names = {one.id for one in present}
    serving: defaultdict[tuple[str, str | None], list[WorkerState]] = defaultdict(list)
    for one in alive:
        serving[one.site, one.version].append(one)
    busy = {(lane.site, lane.device): lane for lane in found if lane.is_running}
    running = Counter(lane.site for lane in found if lane.is_running)
    ahead: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], LaneState] = {}
    for lane in found:
        if lane.is_running:
            where = f"runs at {lane.worker}"
            yield Entry(lane, where if lane.worker in names else f"{where}, which gives no sign of life")
            continue
        key = lane.site, lane.device
        fit = serving[lane.site, lane.version]
        yield Entry(lane, _reason(lane, fit, alive, busy.get(key), (ahead[key], first.get(key)), running))
        ahead[key] += 1
        first.setdefault(key, lane)


def _reason(
    lane: LaneState,
    fit: Sequence[WorkerState],
    alive: Sequence[WorkerState],
    holder: LaneState | None,
    before: tuple[int, LaneState | None],
    running: Counter[str],
) -> str:
    at_site = [one for one in alive if one.site == lane.site]
    if not at_site:
        return f"no worker at the site {lane.site}: farm worker --site {lane.site}"
    if not fit:
        others = ", ".join(sorted({one.version for one in at_site}))
        return f"needs a worker of {lane.version or VERSION}; those at {lane.site} are {others}"
    if holder is not None:
        who = f"{lane.device} is busy with {holder.run} of {holder.user or 'nobody'}"
        return f"{who}, then {before[0]} more" if before[0] else who
    if before[1] is not None:
        return f"behind {before[0]} on {lane.device}, the first of {before[1].user or 'nobody'}"
    places = sum(one.parallel for one in fit)
    if running[lane.site] >= places:
        return f"all {places} places of the workers at {lane.site} are taken"
    return "is next"
