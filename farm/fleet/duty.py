"""Signs of life of the workers, and what happens to the lanes of one that gives none any more.

A worker counts in its row of the store. Others of its site judge that count by their own steady clock, and
begin anew when they were away themselves: no two clocks are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa
from dbos import DBOS

from farm.fleet.client import LANE, RUNNING, status_table
from farm.fleet.database import WORKERS, Store, now
from farm.fleet.nouns import VERSION, queue_of
from farm.user import own_user
from farm.visible import visible

BEATS = 6
"""In the time to live of a worker."""


@dataclass(frozen=True)
class Worker:
    """A worker in the store. `ttl_s`: without a sign of life for so long its lanes are another's."""

    id: str
    site: str
    host: str
    parallel: int
    ttl_s: float = 30.0

    @property
    def beat_s(self) -> float:
        return self.ttl_s / BEATS


def recovered(worker: str) -> int:
    """Let the lanes of a worker wait again, in their queue; how many. Whoever still runs one loses it."""
    # Private, but the only call that is safe when several do it; the test of a killed worker uses it.
    return len(DBOS._recover_pending_workflows([worker]))  # noqa: SLF001


@dataclass
class _Seen:
    """The count of a worker, and when it was first seen."""

    beat: int
    at_s: float


@dataclass
class Duty:
    """`begin`, `turn` every `beat_s`, `end`. All of it blocks: not for an event loop's thread."""

    store: Store
    worker: Worker
    note: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _turned_s: float | None = None

    def begin(self) -> None:
        """Raises RunError."""
        worker = self.worker
        with self.store.transaction() as connection:
            connection.execute(
                sa.insert(WORKERS).values(
                    id=worker.id,
                    site=worker.site,
                    host=worker.host,
                    farm_version=VERSION,
                    parallel=worker.parallel,
                    ttl_s=worker.ttl_s,
                    beat=0,
                    beat_at=sa.func.current_timestamp(),
                    started_at=now(),
                )
            )
            self.store.note(connection, "worker", (visible(own_user()), worker.host), detail=worker.id)

    def turn(self) -> None:
        """Give a sign of life, and take over from those that give none. Raises RunError: then nothing that
        was seen counts.
        """
        is_late = self._turned_s is not None and self.clock() - self._turned_s > 3 * self.worker.beat_s
        try:
            others = self._beat()
        except BaseException:
            self._turned_s = None
            self._seen.clear()
            raise
        if is_late or self._turned_s is None:  # stopped, asleep, or cut off: their counts were not looked at
            self._seen.clear()
        self._turned_s = self.clock()
        for name in self._dead(others):
            taken = recovered(name)
            self._bury(name)
            lanes = f"{taken} of its lanes wait again" if taken else "it had no lanes"
            self.note(f"worker {name} gives no sign of life: {lanes}")

    def _beat(self) -> dict[str, tuple[int, float, bool]]:
        """Count; then the other workers of this site, and those that have lanes of it: their count, time to
        live, and whether they have ended.
        """
        table = status_table(self.store)
        with self.store.transaction() as connection:
            connection.execute(
                sa.update(WORKERS)
                .where(WORKERS.c.id == self.worker.id)
                .values(
                    beat=WORKERS.c.beat + 1,
                    beat_at=sa.func.current_timestamp(),
                    ended_at=None,
                    ended_how=None,
                )
            )
            asked = (
                sa.select(table.c.executor_id, WORKERS.c.beat, WORKERS.c.ttl_s, WORKERS.c.ended_at)
                .select_from(table.outerjoin(WORKERS, WORKERS.c.id == table.c.executor_id))
                .where(
                    table.c.name == LANE,
                    table.c.status.in_(RUNNING),
                    table.c.queue_name == queue_of(self.worker.site),
                    table.c.application_version == VERSION,
                    table.c.executor_id != self.worker.id,
                )
                .distinct()
            )
            idle = sa.select(WORKERS.c.id, WORKERS.c.beat, WORKERS.c.ttl_s, WORKERS.c.ended_at).where(
                WORKERS.c.site == self.worker.site,
                WORKERS.c.farm_version == VERSION,
                WORKERS.c.ended_at.is_(None),
                WORKERS.c.id != self.worker.id,
            )
            rows = [*connection.execute(idle).all(), *connection.execute(asked).all()]
        return {
            str(name): (int(beat or 0), float(ttl_s or 0), beat is None or ended is not None)
            for name, beat, ttl_s, ended in rows
        }

    def _dead(self, others: dict[str, tuple[int, float, bool]]) -> list[str]:
        dead = []
        for name, (beat, ttl_s, is_over) in others.items():
            seen = self._seen.get(name)
            if is_over:
                dead.append(name)
            elif seen is None or seen.beat != beat:
                self._seen[name] = _Seen(beat, self.clock())
            elif self.clock() - seen.at_s > ttl_s:
                dead.append(name)
        for name in [*(self._seen.keys() - others.keys()), *dead]:
            self._seen.pop(name, None)
        return dead

    def _bury(self, name: str) -> None:
        self._ended(name, "gave no sign of life")

    def end(self) -> None:
        """Say that this worker is gone, and has nothing. Raises RunError."""
        self._ended(self.worker.id, "ended")

    def _ended(self, name: str, how: str) -> None:
        with self.store.transaction() as connection:
            connection.execute(
                sa.update(WORKERS)
                .where(WORKERS.c.id == name, WORKERS.c.ended_at.is_(None))
                .values(ended_at=now(), ended_how=how)
            )
