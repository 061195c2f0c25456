"""`farm worker`: runs the lanes of a site until it is told to end, and gives back what it has then."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import importlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbos import DBOS, DBOSConfig
from dbos._error import DBOSWorkflowConflictIDError

from farm.errors import FarmError, RunError
from farm.files import private_folder
from farm.fleet.client import APPLICATION, CANCELLED, LANE, lanes
from farm.fleet.database import Store
from farm.fleet.duty import Duty, Worker, recovered
from farm.fleet.nightlies.kept import schedules
from farm.fleet.nouns import VERSION, Site, queue_of, split_lane
from farm.fleet.schema import SERIALIZER, listen_to_engine

if TYPE_CHECKING:
    from farm.fleet.live import LiveLane

MOST_ATTEMPTS = 20
"""A lane whose workers die so often is given up: it may be what kills them."""
STOP_S = 10.0
ALIVE = ".alive"
DRAIN_S = 1.0


LATER = ("encodings.idna", "numpy", "scipy.stats")

BEGUN_AT_ONCE = 16
"""Lanes that a worker takes at a look, once a second: those that begin keep each other waiting."""
TIDY_S = 3600.0
"""After so long garbage is looked for in all that there is, although lanes run."""


class LaneError(Exception):
    """Why a lane cannot be run here, as the store keeps it."""


@dataclass
class Running:
    """A worker at work: the engine calls `lane` for each lane that it gives to this process."""

    store: Store
    site: Site
    tasks: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    tidied_s: float | None = None
    """When that was, by the monotonic clock; None: there is none."""

    async def lane(self, sha256: str) -> dict[str, Any]:
        """All steps of one lane. What is recorded is not run again: its lines come from the store."""
        name, user = str(DBOS.workflow_id), DBOS.authenticated_user or ""
        task = asyncio.current_task()
        assert task is not None
        self.tasks[name] = task
        live: LiveLane | None = None
        lines: list[str] = []

        async def step() -> dict[str, Any]:
            nonlocal live
            try:
                if live is None:
                    live = (await asyncio.to_thread(_live_lane))(self.site, name)
                    self.site.note(f"{name}: {'goes on' if lines else 'begins'}")
                    await live.begin(str(sha256), user, lines)
                return await live.step()
            except FarmError as error:
                self.site.note(f"{name}: {error}")
                raise LaneError(f"{error}; try: {error.hint}" if error.hint else str(error)) from error

        try:
            while True:
                done = await DBOS.run_step_async({"name": "round", "preemptible": True}, step)
                lines += done["lines"]
                if done["is_over"]:
                    self.site.note(f"{name}: done")
                    return {"lines": len(lines)}
        except DBOSWorkflowConflictIDError:
            if not await asyncio.to_thread(_is_cancelled, self.store, name):
                self.site.note(
                    f"{name}: another worker has it now; what this one measured last does not count"
                )
                if live is not None:
                    live.abandon()
            raise
        finally:
            self.tasks.pop(name, None)
            if live is not None:
                await live.close()

    def tidy(self) -> None:
        """What lives is left out of looks for garbage: through that of 200 lanes one takes a quarter of a
        second, in which all of them stop. All is looked through when no lane runs, or after a long time.
        """
        now_s = time.monotonic()
        if self.tasks:
            self.tidied_s = self.tidied_s or now_s
            gc.freeze()
        if self.tidied_s is not None and (not self.tasks or now_s - self.tidied_s > TIDY_S):
            self.tidied_s = None
            gc.unfreeze()
            gc.collect()


async def work(store: Store, worker: Worker, site: Site, *, is_drain: bool = False) -> None:
    """Run lanes until cancelled, or with `is_drain` until none is left at the site. Raises RunError where the
    store cannot be used at the start; later it is waited for.
    """
    duty = Duty(store, worker, site.note)
    await asyncio.to_thread(duty.begin)
    running = Running(store, site)
    engine: DBOS | None = None
    try:
        engine = await _launched(store, worker, running)
        await _turns(store, duty, running, is_drain=is_drain)
    finally:
        ending = asyncio.create_task(_ended(duty, engine, running))
        await _whole(ending)


async def _whole(task: asyncio.Task[None]) -> None:
    """Wait for it; a second cancellation does not cut it short."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def _launched(store: Store, worker: Worker, running: Running) -> DBOS:
    listen_to_engine(store, running.site.note)
    config: DBOSConfig = {
        "name": APPLICATION,
        "system_database_url": store.url.connect,
        "application_version": VERSION,
        "executor_id": worker.id,
        "serializer": SERIALIZER,
        "enable_otlp": False,
        "run_migrations": False,
        "sys_db_pool_size": 5,
    }
    engine = DBOS(config=config)
    DBOS.workflow(name=LANE, max_recovery_attempts=MOST_ATTEMPTS)(_entry(running))
    DBOS.listen_queues([queue_of(worker.site)])
    try:
        # Lanes run in this event loop; launching waits for the store, so it has a thread.
        engine._background_event_loop._main_loop = asyncio.get_running_loop()  # noqa: SLF001
        await _in_thread(DBOS.launch)
        _limit_itself(engine, worker, running)
        await DBOS.register_queue_async(
            queue_of(worker.site),
            partition_concurrency=1,
            polling_interval_sec=1.0,
            on_conflict="always_update",
        )
    except Exception as error:  # noqa: BLE001 - whatever the engine raises
        raise store.error_of(error) from None
    return engine


def _limit_itself(engine: DBOS, worker: Worker, running: Running) -> None:
    """Let this process have its own number of lanes, and come to it step by step: the store has one for all
    workers of a site, which would be that of the last that started.
    """
    # Private: where the engine reads its queue before each look for work; a test has two workers of a site.
    stored = engine._sys_db.get_queue  # noqa: SLF001

    def limited(name: str, **more: Any) -> Any:
        found = stored(name, **more)
        if found is not None and name == queue_of(worker.site):
            found._worker_concurrency = min(worker.parallel, len(running.tasks) + BEGUN_AT_ONCE)  # noqa: SLF001
        return found

    engine._sys_db.get_queue = limited  # type: ignore[method-assign]  # noqa: SLF001


@cache
def _live_lane() -> type[LiveLane]:
    """Imported with the first lane: a worker that waits has 20 MB less. What lanes import and make when they
    need it comes along: in the event loop that would take a second from all others.
    """
    gc.disable()  # modules and classes are no garbage, and many
    try:
        from farm.fleet.live import LiveLane, prepare

        for name in LATER:
            importlib.import_module(name)
        prepare()
        gc.freeze()
    finally:
        gc.enable()
    return LiveLane


def _is_cancelled(store: Store, lane: str) -> bool:
    """Whether the engine took a lane away because it was cancelled, and for no other worker. False where that
    cannot be known: then its device is left as it is.
    """
    run, _ = split_lane(lane)
    with contextlib.suppress(RunError):
        return any(one.id == lane and one.status == CANCELLED for one in lanes(store, run))
    return False


def _entry(running: Running) -> Callable[..., Any]:
    async def lane(sha256: str) -> dict[str, Any]:
        return await running.lane(sha256)

    return lane


async def _turns(store: Store, duty: Duty, running: Running, *, is_drain: bool) -> None:
    is_away = False
    told: list[str] = []
    while True:
        running.tidy()
        try:
            await asyncio.to_thread(duty.turn)
            if is_drain and not running.tasks and not await asyncio.to_thread(_is_left, store, duty.worker):
                return
            if is_away:
                running.site.note("the store is back")
            is_away = False
        except RunError as error:
            if not is_away:
                running.site.note(f"waits: {error}")
            is_away = True
        if not is_drain and not is_away:
            await asyncio.to_thread(_fire, store, running.site, told)
        await asyncio.sleep(min(duty.worker.beat_s, DRAIN_S) if is_drain else duty.worker.beat_s)


def _fire(store: Store, site: Site, told: list[str]) -> None:
    """Begin what is due; `told` has what is in the way, which is noted once."""
    try:
        if schedules(store):
            from farm.fleet.nightlies.fire import fire  # 7 MB, that a worker without schedules does not need

            fire(store, site.shelf, site.note)
        told.clear()
    except RunError as error:
        if error.message not in told:
            told[:] = [error.message]
            site.note(f"schedules wait: {error}")


def _is_left(store: Store, worker: Worker) -> bool:
    """Whether lanes of this version wait or run at the site."""
    return any(lane.version == VERSION for lane in lanes(store, site=worker.site, is_open=True))


async def _ended(duty: Duty, engine: DBOS | None, running: Running) -> None:
    """Take no more lanes, give back devices and lanes, and say so in the store."""
    if engine is not None:
        for event in engine.background_thread_stop_events:
            event.set()
        await _in_thread(_join_queues)
        tasks = list(running.tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            running.site.note(f"gives {len(tasks)} lanes back")
            await asyncio.wait(tasks, timeout=STOP_S * 3)
        with contextlib.suppress(Exception):  # a store that is away: others take over after the time to live
            await asyncio.wait_for(_in_thread(lambda: recovered(duty.worker.id)), STOP_S)
    try:
        await _in_thread(duty.end)
    except RunError as error:
        running.site.note(f"{error}; others take over in {duty.worker.ttl_s:g} s")
    if engine is not None:
        await _in_thread(lambda: DBOS.destroy(destroy_registry=True))


async def _in_thread(work: Callable[[], Any]) -> None:
    """In a thread of its own: the engine's pool ends with the engine."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    failed: list[BaseException] = []

    def go() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed on below
            failed.append(error)
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=go, daemon=True).start()
    await done.wait()
    if failed:
        raise failed[0]


def _join_queues() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("queue-worker-"):
            thread.join(STOP_S)


@contextlib.contextmanager
def own_folder(root: Path, worker: str) -> Iterator[Path]:
    """A folder for the time of a worker; those of workers that were killed go. Raises RunError."""
    folder = root / worker
    try:
        private_folder(folder)
        handle = os.open(folder / ALIVE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for other in root.iterdir():
            if other != folder and _is_left_behind(other):
                shutil.rmtree(other, ignore_errors=True)
    except OSError as error:
        why = f"cannot use {folder}: {error.strerror or error}"
        raise RunError(why, hint="set FARM_CACHE_DIR") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _is_left_behind(folder: Path) -> bool:
    try:
        handle = os.open(folder / ALIVE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True
