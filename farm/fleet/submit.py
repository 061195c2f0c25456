"""`farm submit`: the lanes of a plan into the store, all of them or none."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import sqlalchemy as sa
from dbos import DBOSClient

import farm
from farm.errors import RequestError
from farm.fleet.bundle import How, lane_document
from farm.fleet.client import APPLICATION, LANE, WAITING, client_of, status_table
from farm.fleet.database import ABOUT, RUNS, Store, now
from farm.fleet.limits import limit_key, user_limit_key
from farm.fleet.nouns import LONGEST_ID, PRIORITIES, VERSION, lane_id, queue_of, work_id
from farm.fleet.shelf import Shelf
from farm.model.device import Device
from farm.model.matrix import Plan
from farm.run.planned import Origin, hider_of, kept_plan
from farm.store.codec import results_to_json

THREADS = 8
CLASS = 1_000_000
"""Between two priorities; within one, who has fewer lanes waiting comes first."""


@dataclass(frozen=True)
class Submitted:
    """What was submitted; `ahead` are the lanes that wait at each site already."""

    run: str
    lanes: tuple[str, ...]
    ahead: dict[str, int]


@dataclass(frozen=True)
class Offer:
    """A plan that is to be submitted; `told` gets how many files of how many are in the shared storage."""

    plan: Plan
    how: How
    priority: str = "normal"
    told: Callable[[int, int], None] = lambda _done, _total: None


def submit(store: Store, shelf: Shelf, offer: Offer) -> Submitted:
    """Put the files of a plan into the shared storage, then all of its lanes into the store at once.

    Raises RequestError for a run that was submitted before, one that a site does not take, or a file that
    cannot be read, and RunError where the store or the storage cannot be used; nothing waits then.
    """
    batch = stored(shelf, offer)
    # The engine's own connection: its tables are found by that only.
    with client_of(store) as client, client._sys_db.engine.begin() as connection:  # noqa: SLF001
        before = enqueue(store, client, connection, batch)
        detail = f"{len(batch.lanes)} lanes, priority {batch.priority}"
        store.note(connection, "submit", (batch.user, socket.gethostname()), run=batch.run, detail=detail)
    names = tuple(lane_id(batch.run, device) for device, _, _ in batch.lanes)
    sites = sorted({site for _, site, _ in batch.lanes})
    return Submitted(batch.run, names, {site: before.get(queue_of(site), 0) for site in sites})


@dataclass(frozen=True)
class Batch:
    """The lanes of a run: device, site, and the digest of its document. `head` is the digest of the plan."""

    run: str
    user: str
    priority: str
    lanes: tuple[tuple[str, str, str], ...]
    head: str


def stored(shelf: Shelf, offer: Offer) -> Batch:
    """The lanes of a plan; their documents and files are in the storage. Raises RequestError, RunError."""
    devices = [device for device in offer.plan.devices if device.name in offer.plan.cells_on]
    if not devices:
        raise RequestError(
            "nothing of this can be run: no device has a cell", hint="farm plan shows the reasons"
        )
    how = offer.how
    for device in devices:
        _require_short(how.run, device)
    documents = _shelved(shelf, offer, devices)
    origin = Origin(farm.__version__, how.command, how.started_at)
    head = shelf.put_bytes(results_to_json(kept_plan(how.run, offer.plan, origin, hider_of(offer.plan))))
    lanes = tuple((device.name, device.site, documents[device.name]) for device in devices)
    return Batch(how.run, how.user, offer.priority, lanes, head)


def _require_short(run: str, device: Device) -> None:
    if len(work_id(run, device.name)) > LONGEST_ID:
        raise RequestError(
            f"the run id {run!r} and the device {device.name} have more than {LONGEST_ID} characters",
            hint="use a shorter --run-id",
        )


def _shelved(shelf: Shelf, offer: Offer, devices: Sequence[Device]) -> dict[str, str]:
    """The digest of each device's document, by name; they and their files are in the storage."""
    made = {device.name: lane_document(offer.plan, device, offer.how) for device in devices}
    files = {sha256: path for _, paths in made.values() for sha256, path in paths.items()}
    done = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda item: shelf.put(item[1], item[0]), files.items()):
            done += 1
            offer.told(done, len(files))
        digests = pool.map(lambda one: shelf.put_bytes(one[0]), made.values())
        return dict(zip(made, digests, strict=True))


def enqueue(store: Store, client: DBOSClient, connection: sa.Connection, batch: Batch) -> dict[str, int]:
    """Have lanes wait, in this transaction of the engine's own; how many waited in each queue before.

    Raises RequestError for a run that was submitted before, and where a site does not take so many.
    """
    _new_run(connection, batch)
    waiting = _waiting(store, connection)
    own = Counter({queue: count for (queue, user), count in waiting.items() if user == batch.user})
    total = Counter[str]()
    for (queue, _), count in waiting.items():
        total[queue] += count
    before = dict(total)
    for device, site, sha256 in batch.lanes:
        queue = queue_of(site)
        _enqueue(client, connection, batch, (device, queue, sha256), own[queue])
        own[queue] += 1
        total[queue] += 1
    _require_room(connection, batch, total, own)
    return before


def _new_run(connection: sa.Connection, batch: Batch) -> None:
    try:
        connection.execute(
            sa.insert(RUNS).values(
                run=batch.run,
                user=batch.user,
                submitted_at=now(),
                farm_version=farm.__version__,
                lanes=len(batch.lanes),
                plan_sha256=batch.head,
            )
        )
    except sa.exc.IntegrityError as error:
        raise RequestError(
            f"run {batch.run} was submitted before", hint="use another --run-id, or none"
        ) from error


def _waiting(store: Store, connection: sa.Connection) -> dict[tuple[str, str], int]:
    """How many lanes wait, by queue and user."""
    table = status_table(store)
    asked = (
        sa.select(table.c.queue_name, table.c.authenticated_user, sa.func.count())
        .where(table.c.name == LANE, table.c.status.in_(WAITING))
        .group_by(table.c.queue_name, table.c.authenticated_user)
    )
    return {(str(queue), str(user)): int(count) for queue, user, count in connection.execute(asked)}


def _enqueue(
    client: DBOSClient, connection: sa.Connection, batch: Batch, lane: tuple[str, str, str], behind: int
) -> None:
    device, queue, sha256 = lane
    base = PRIORITIES.index(batch.priority) * CLASS
    client.enqueue_in_transaction(
        connection,
        {
            "workflow_name": LANE,
            "queue_name": queue,
            "workflow_id": lane_id(batch.run, device),
            "workflow_id_reuse_policy": "reject",
            "app_version": VERSION,
            "application_name": APPLICATION,
            "priority": base + min(behind, CLASS - 1) + 1,
            "queue_partition_key": device,
            "authenticated_user": batch.user,
        },
        sha256,
    )


def _require_room(connection: sa.Connection, batch: Batch, total: Counter[str], own: Counter[str]) -> None:
    """Raises RequestError where more lanes would wait at a site than it takes, of all or of this user."""
    for site in sorted({site for _, site, _ in batch.lanes}):
        for key, count, whose in (
            (limit_key(site), total[queue_of(site)], ""),
            (user_limit_key(site), own[queue_of(site)], f" of {batch.user}"),
        ):
            text = connection.scalar(sa.select(ABOUT.c.value).where(ABOUT.c.key == key))
            if text is not None and text.isdecimal() and count > int(text):
                raise RequestError(
                    f"{count} lanes{whose} would wait at the site {site}, and it takes {text}",
                    hint="farm queue shows what waits; submit less, later, or at another site",
                )
