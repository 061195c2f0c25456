"""A lane that this worker runs now: `farm.run.lane.Lane`, as in `farm bench`, with steps in the place of a
journal on disk. Its folder is the worker's own and goes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import farm
from farm.errors import RequestError, RunError
from farm.files import digest_path, private_folder
from farm.fleet.bundle import MOST_BYTES, LaneDocument, make_readers, plan_of, read_lane
from farm.fleet.nouns import Site, split_lane, work_id
from farm.fleet.shelf import Shelf, patiently
from farm.fleet.shelf.base import DIGEST, LostError, require_digest
from farm.fleet.stepped import StepJournal
from farm.model.artifact import Produced
from farm.model.device import Device, RuntimeKind
from farm.model.journal import Event, Prepared, RoundEnded
from farm.model.matrix import CHECKS, Plan
from farm.model.run import Results
from farm.plan.builds import may_run_wheel
from farm.run.context import Around, RunContext, settings_of
from farm.run.events import Event as Told
from farm.run.lane import Lane
from farm.run.planned import Origin, hider_of, kept_plan
from farm.run.push.relays import Relays
from farm.run.push.supply import Supply
from farm.run.record import Recorder
from farm.runtime import install
from farm.runtime.files import WheelFiles, wheel_files
from farm.store.journal import event_of, line_of
from farm.store.journal import prepare as make_writer
from farm.store.progress import Progress
from farm.store.runs import RunDirectory
from farm.transport.base import Timeouts
from farm.transport.pool import open_transports
from farm.visible import relative_href

LEASE_REST_S = 15.0
"""Longer than a lease lives that nobody gives back: who comes after a cancelled lane waits for that."""
CLOSE_S = 20.0


def prepare() -> None:
    """Make what lanes are read with and written with, in a thread."""
    make_readers()
    make_writer()


class LiveLane:
    """`begin`, then `step` until it is over, then `close`; one event loop."""

    def __init__(self, site: Site, lane: str) -> None:
        """Raises RequestError for the id of something else."""
        self._site = site
        self.id = lane
        try:
            self._run, self._name = split_lane(lane)
        except ValueError as error:
            raise RequestError(str(error), hint=f"farm did not submit it: farm runs cancel {lane}") from error
        self._folder = site.folder / work_id(self._run, self._name)
        self._journal = StepJournal()
        self._lane: Lane | None = None
        self._task: asyncio.Task[None] | None = None
        self._hide: Callable[[str], str] = lambda text: text

    async def begin(self, sha256: str, user: str, earlier: Sequence[str]) -> None:
        """Take its files and go on after the `earlier` lines. Raises FarmError where it cannot run here."""
        if not DIGEST.match(sha256):
            raise RequestError(f"{sha256!r} is no digest of a lane's document", hint="farm did not submit it")
        device = self._device(user)
        get = lambda: self._site.shelf.get_bytes(sha256, MOST_BYTES)  # noqa: E731
        data = await patiently(get, self._note, self._site.deadlines)
        document = await asyncio.to_thread(read_lane, data, self._run, self._name)
        if document.how.user != user:
            raise RequestError(f"{document.how.user} submitted it; in the store it is {user or 'nobody'}'s")
        events = [_event(line) for line in earlier]
        root = self._site.folder / "files"
        plan = await asyncio.to_thread(plan_of, document, root, device)
        await self._take(document, root)
        context = await self._context(document, plan, events)
        await self._fetch_earlier(events)
        self._task = asyncio.create_task(self._go(context, plan), name=f"lane {self.id}")

    def _device(self, user: str) -> Device:
        """As this worker's inventory has it. Raises RequestError."""
        if self._site.users and user not in self._site.users:
            raise RequestError(
                f"this worker does not run lanes of {user or 'nobody'}", hint="farm worker --allow-user NAME"
            )
        for device in self._site.inventory.devices:
            if device.name == self._name and device.site == self._site.name:
                return device
        raise RequestError(
            f"{self._name} is no device of the site {self._site.name} in this worker's inventory",
            hint="give the worker the inventory of who submitted: farm worker --inventory FILE",
        )

    async def _take(self, document: LaneDocument, root: Path) -> None:
        """The files of the lane that are not here yet. Raises RunError."""
        for name, executable in document.files.items():
            place = root / name
            if not await asyncio.to_thread(place.is_file):
                get = lambda name=name, place=place, executable=executable: self._site.shelf.get(  # noqa: E731
                    name.partition("/")[0], place, executable=executable
                )
                await patiently(get, self._note, self._site.deadlines)

    async def _context(self, document: LaneDocument, plan: Plan, events: Sequence[Event]) -> RunContext:
        how = document.how
        directory = RunDirectory(self._folder)
        await asyncio.to_thread(_fresh, self._folder)
        hider = hider_of(plan)
        self._hide = hider.text
        planned = kept_plan(how.run, plan, Origin(farm.__version__, how.command, how.started_at), hider)
        rest_s = how.deadlines.lease_ttl_s + LEASE_REST_S
        deadlines = replace(how.deadlines, lease_wait_s=max(how.deadlines.lease_wait_s, rest_s))
        runtime = await asyncio.to_thread(self._runtime, plan)
        around = Around(self._site.inventory, runtime, deadlines, how.cooldown)
        settings = await asyncio.to_thread(settings_of, directory.run_id, around, how.command)
        wheel: WheelFiles | None = None
        if runtime is not None:
            wheel = await asyncio.to_thread(wheel_files, runtime, lambda *_: None)
        recorder = Recorder(directory, _replayed(planned, events), self._journal, hider)
        return RunContext(
            plan,
            directory,
            recorder,
            replace(settings, kept=None),
            wheel,
            self._hear,
            time.monotonic,
            supply=Supply(relays=Relays(plan.devices, settings.known_hosts, settings.deadlines)),
        )

    def _runtime(self, plan: Plan) -> install.InstalledRuntime | None:
        """The wheel runtime where the plan may need it. Raises RunError."""
        is_needed = any(cell.device.runtime.kind is RuntimeKind.WHEEL for cell in plan.cells)
        if not is_needed and not may_run_wheel(plan):
            return None
        return install.installed() or install.ensure(lambda *_: None)

    async def _fetch_earlier(self, events: Sequence[Event]) -> None:
        """The outputs of earlier rounds, which are compared with those to come."""
        for event in events:
            if isinstance(event, RoundEnded) and event.round.kind in CHECKS:
                for produced in event.round.artifacts:
                    place = lambda one=produced: placed(self._site.shelf, self._folder, one)  # noqa: E731
                    await patiently(place, self._note, self._site.deadlines)

    async def _go(self, context: RunContext, plan: Plan) -> None:
        settings = context.settings
        transports_of_lane = open_transports(
            plan.devices, known_hosts=settings.known_hosts, timeouts=Timeouts.of(settings.deadlines)
        )
        async with context.supply.relays, transports_of_lane as transports:
            device = plan.devices[0]
            self._lane = Lane(context, device, transports.to(device))
            await self._lane.go(asyncio.Semaphore())

    async def step(self) -> dict[str, Any]:
        """What happened since the last step: lines of a journal, whose artifacts are in the shared storage.

        Raises RunError where these cannot be put there.
        """
        assert self._task is not None, "begin comes first"
        self._journal.recorded()
        something = asyncio.create_task(self._journal.lasting())
        try:
            await asyncio.wait({something, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            something.cancel()
        is_over = self._task.done()
        if is_over and (error := self._task.exception()) is not None:
            raise error
        events = self._journal.take()
        for produced in (one for event in events for one in artifacts_of(event)):
            kept = digest_path(self._folder / "artifacts", produced.sha256)
            put = lambda kept=kept, sha256=produced.sha256: self._site.shelf.put(kept, sha256)  # noqa: E731
            await patiently(put, self._note, self._site.deadlines)
        return {"lines": [line_of(event).decode().rstrip("\n") for event in events], "is_over": is_over}

    def abandon(self) -> None:
        """Another worker goes on with it: the device is left to that one as it is."""
        if self._lane is not None:
            self._lane.abandon()

    async def close(self) -> None:
        """Give the device back, and remove the folder; bounded."""
        task = self._task
        if task is not None and not task.done():
            task.cancel()
            with contextlib.suppress(BaseException):
                await asyncio.wait({task}, timeout=CLOSE_S)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _note(self, text: str) -> None:
        self._site.note(self._hide(f"{self.id}: {text}"))

    def _hear(self, event: Told) -> None:
        with contextlib.suppress(Exception):  # a closed terminal
            self._site.tell(replace(event, device=self.id, text=self._hide(event.text)))


def artifacts_of(event: Event) -> tuple[Produced, ...]:
    """The files that an event speaks of."""
    match event:
        case RoundEnded(round=result):
            return result.artifacts
        case Prepared(preparations=made):
            return tuple(one for each in made if each.round is not None for one in each.round.artifacts)
    return ()


def _event(line: str) -> Event:
    try:
        return event_of(line.encode())
    except ValueError as error:
        raise RunError(
            f"a step of the store cannot be read: {error}",
            hint="farm queue shows its run; farm runs cancel RUN ends it",
        ) from error


def _replayed(planned: Results, events: Sequence[Event]) -> Progress:
    """Raises RunError for events of something else."""
    progress = Progress(planned)
    try:
        for event in events:
            progress.apply(event)
    except KeyError as error:
        raise RunError(
            f"a step of the store is about {error}",
            hint="farm queue shows its run; farm runs cancel RUN ends it",
        ) from error
    return progress


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for one in (folder, folder / "artifacts", folder / "cells"):
        private_folder(one)


def placed(shelf: Shelf, run: Path, produced: Produced) -> None:
    """A file of a round where the run directory has it. Raises LostError for what is no file of a round, and
    ShelfError.
    """
    require_digest(produced.sha256)
    place, kept = place_of(run, produced), digest_path(run / "artifacts", produced.sha256)
    if not kept.is_file():
        shelf.get(produced.sha256, kept)
    private_folder(place.parent)
    place.unlink(missing_ok=True)
    place.symlink_to(Path(*[".."] * (len(place.relative_to(run).parts) - 1)) / kept.relative_to(run))


def place_of(folder: Path, produced: Produced) -> Path:
    """Where a file of a run belongs. Raises LostError for a name that leads out of it."""
    if relative_href(produced.path) is None or not produced.path.startswith("cells/"):
        raise LostError(f"a step of the store names the file {produced.path!r}", hint="submit again")
    return folder / produced.path
