"""`farm runs fetch`: a run of the fleet as a run directory, which every other command reads.

Its journal is what the steps of its lanes recorded; its files come from the shared storage.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from farm.errors import DeviceError, Fault, RequestError, Stage
from farm.fleet.bundle import MOST_BYTES, LaneDocument, plan_of, read_lane
from farm.fleet.client import CANCELLED, DONE, LaneState, client_of, failure_of, lanes_of, steps_of
from farm.fleet.database import RUNS, Store, now
from farm.fleet.live import artifacts_of, placed
from farm.fleet.shelf import LostError, Shelf, patiently
from farm.model.device import Inventory
from farm.model.journal import Event
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import Plan
from farm.model.run import Results
from farm.plan.matrix import cells_of
from farm.run.bench import compare_devices, status_of
from farm.run.context import Around, RunContext, settings_of
from farm.run.events import Listener
from farm.run.planned import hider_of
from farm.run.record import Recorder
from farm.store.codec import results_from_json
from farm.store.journal import event_of, line_of
from farm.store.runs import RunDirectory
from farm.store.writer import JournalWriter

MOST_PLAN_BYTES = 1 << 30
POLL_S = 2.0
BY_HAND = "lane-failed"
"""The cause of cells whose lane the engine gave up."""


@dataclass(frozen=True)
class Wanted:
    """A run that is to be fetched into `runs_dir`; `told` gets how many files of how many are there."""

    run: str
    runs_dir: Path
    note: Callable[[str], None]
    told: Callable[[int, int], None] = lambda _done, _total: None
    deadlines: Deadlines = Deadlines()


async def wait_for(store: Store, run: str, wait_s: float, told: Callable[[int, int], None]) -> None:
    """Until all lanes of a run are over. Raises RequestError for a run that nobody submitted, and for one
    that goes on after `wait_s`.
    """
    ends = time.monotonic() + wait_s
    while True:
        found = await asyncio.to_thread(lanes_of, store, run)
        left = [lane for lane in found if not lane.is_over]
        told(len(found) - len(left), len(found))
        if not left:
            return
        if time.monotonic() >= ends:
            raise RequestError(
                f"run {run} goes on: {len(left)} of {len(found)} lanes are not over",
                hint=f"farm runs fetch {run} --wait 3600, or see farm queue",
            )
        await asyncio.sleep(min(POLL_S, max(0.05, ends - time.monotonic())))


async def fetch(store: Store, shelf: Shelf, wanted: Wanted) -> tuple[RunDirectory, Results]:
    """Make the run directory; all of it, or nothing. Raises RequestError for a run that is there already,
    RunError where the store or the storage cannot be used.
    """
    found = await asyncio.to_thread(lanes_of, store, wanted.run)
    directory = await asyncio.to_thread(RunDirectory.create, wanted.runs_dir, wanted.run)
    try:
        lines, whole = await asyncio.to_thread(_read, store, shelf, wanted.run, found)
        planned = await asyncio.to_thread(_planned, store, shelf, wanted.run)
        await asyncio.to_thread(_begin, directory, planned, lines)
        lost = await _files(directory, shelf, lines, wanted)
        return directory, await _concluded(directory, whole, wanted, lost)
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, directory.path, ignore_errors=True)
        raise


@dataclass(frozen=True)
class _Whole:
    """All lanes of a run together; `failed` are reasons of those that the engine gave up, by device."""

    plan: Plan
    document: LaneDocument
    cancelled: frozenset[str]
    failed: dict[str, str]


def _read(store: Store, shelf: Shelf, run: str, found: Sequence[LaneState]) -> tuple[list[Event], _Whole]:
    events: list[Event] = []
    documents: list[LaneDocument] = []
    failed: dict[str, str] = {}
    with client_of(store) as client:
        digests = _arguments(client, [lane.id for lane in found])
        for lane in found:
            if lane.status not in {DONE, CANCELLED}:
                failed[lane.device] = failure_of(client, lane.id)
            try:
                for step in steps_of(client, lane.id):
                    events += _events(step)
            except RequestError as error:  # of this lane: what the others measured is there
                failed[lane.device] = error.message
            data = shelf.get_bytes(digests[lane.id], MOST_BYTES)
            documents.append(read_lane(data, run, lane.device))
    parts = [plan_of(document, Path("/nowhere")) for document in documents]
    plan = replace(
        parts[0],
        devices=tuple(device for part in parts for device in part.devices),
        cells=tuple(cell for part in parts for cell in part.cells),
        duels=tuple(duel for part in parts for duel in part.duels),
    )
    cancelled = frozenset(lane.device for lane in found if lane.status == CANCELLED)
    return events, _Whole(plan, documents[0], cancelled, failed)


def _arguments(client: Any, ids: Sequence[str]) -> dict[str, str]:
    """The digest of each lane's document. Raises RequestError for a lane that has none."""
    found = {}
    for one in client.list_workflows(workflow_ids=list(ids), load_output=False):
        given: Any = one.input
        arguments: Any = given.get("args", ()) if isinstance(given, dict) else ()
        if len(arguments) != 1 or not isinstance(arguments[0], str):
            run = one.workflow_id.partition("/")[0]
            raise RequestError(f"lane {one.workflow_id} is none of farm's", hint=f"farm runs cancel {run}")
        found[one.workflow_id] = arguments[0]
    return found


def _events(step: dict[str, Any]) -> list[Event]:
    try:
        return [event_of(str(line).encode()) for line in step["lines"]]
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(f"a step of the store cannot be read: {error}") from error


def _planned(store: Store, shelf: Shelf, run: str) -> Results:
    with store.transaction() as connection:
        sha256 = connection.scalar(sa.select(RUNS.c.plan_sha256).where(RUNS.c.run == run))
    if sha256 is None:
        raise RequestError(
            f"run {run} has lanes in the store, but nobody submitted it", hint=f"farm runs cancel {run}"
        )
    return results_from_json(shelf.get_bytes(sha256, MOST_PLAN_BYTES), f"the plan of {run}")


def _begin(directory: RunDirectory, planned: Results, events: Sequence[Event]) -> None:
    file = directory.begin(planned)
    try:
        file.append(b"".join(map(line_of, events)))
    finally:
        file.close()


async def _files(
    directory: RunDirectory, shelf: Shelf, events: Sequence[Event], wanted: Wanted
) -> tuple[str, ...]:
    """What of them is lost: a log that is gone costs none of the times."""
    lost: list[str] = []
    every = list(dict.fromkeys(one for event in events for one in artifacts_of(event)))
    for done, produced in enumerate(every, 1):
        put = lambda one=produced: placed(shelf, directory.path, one)  # noqa: E731
        try:
            await patiently(put, wanted.note, wanted.deadlines)
        except LostError as error:
            lost.append(f"{produced.path}: {error.message}")
        wanted.told(done, len(every))
    return tuple(lost)


async def _concluded(directory: RunDirectory, whole: _Whole, wanted: Wanted, lost: Sequence[str]) -> Results:
    """What no lane could say alone: comparisons across devices, cells that were not measured, the end."""
    file, found = await asyncio.to_thread(directory.reopen)
    recorder = Recorder(
        directory, found.progress, JournalWriter(file), hider_of(whole.plan), (*found.losses, *lost)
    )
    around = Around(Inventory((), None, Path("/nowhere")), None, wanted.deadlines)
    settings = await asyncio.to_thread(settings_of, directory.run_id, around, whole.document.how.command)
    told: Listener = lambda event: wanted.note(event.text)  # noqa: E731
    bare = replace(settings, kept=None)
    context = RunContext(whole.plan, directory, recorder, bare, None, told, time.monotonic)
    await compare_devices(context)
    for device in whole.plan.devices:
        cells = cells_of(whole.plan, device)
        if device.name in whole.cancelled:
            recorder.cancel(cells)
        elif device.name in whole.failed:
            recorder.fail(cells, _given_up(whole.failed[device.name]))
    return await recorder.end(status_of(recorder.results()), now())


def _given_up(why: str) -> DeviceError:
    return DeviceError(
        f"its worker could not run it: {why}", stage=Stage.CONNECT, fault=Fault.FARM, cause=BY_HAND,
        hint="see what its worker says; then submit again",
    )  # fmt: skip
