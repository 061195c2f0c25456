"""What the commands of a fleet have in common: the store, the artifact storage, who asks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.errors import RequestError
from farm.model.limits.deadlines import Deadlines
from farm.user import own_user
from farm.visible import one_line

if TYPE_CHECKING:
    from farm.fleet.database import Store
    from farm.fleet.nightlies.kept import Schedule
    from farm.fleet.shelf import Shelf

StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="The queue of the fleet: postgresql://USER@HOST/DATABASE, or on one machine sqlite:///FILE. "
        "Default: $FARM_STORE.",
        metavar="URL",
    ),
]
Artifacts = Annotated[
    str | None,
    typer.Option(
        help="The folder that all machines of the fleet share, file:///PATH, or a bucket, "
        "s3://BUCKET/FOLDER. Default: what the store remembers; of a new SQLite store, a folder beside it.",
        metavar="URL",
    ),
]
User = Annotated[str | None, typer.Option(help="Who asks for it. Default: the login name.", metavar="NAME")]
Site = Annotated[
    str, typer.Option(help="The site, as `site:` of the inventory has it.", metavar="NAME", show_default=True)
]
KEY = "artifacts"
LONGEST_NAME = 64
STANDARD = Deadlines()


@contextlib.contextmanager
def opened(url: str | None, deadlines: Deadlines = STANDARD, *, may_make: bool = False) -> Iterator[Store]:
    """The store. Raises RequestError where no URL is given or the extra is missing, RunError."""
    from farm.fleet.nouns import EXAMPLE, require_engine, store_url

    text = url or os.environ.get("FARM_STORE")
    if not text:
        raise RequestError("which store? Give --store, or set FARM_STORE", hint=EXAMPLE)
    parsed = store_url(text)
    require_engine()
    from farm.fleet.database import Store

    store = Store(parsed, deadlines)
    try:
        store.open(may_make=may_make)
        yield store
    finally:
        store.close()


def shelf_for(store: Store, url: str | None) -> Shelf:
    """The artifact storage, which the store remembers from then on. Raises RequestError where it is not
    known, or the store remembers another one.
    """
    from farm.fleet.shelf import EXAMPLE, shelf_of

    known = store.recall(KEY)
    if url is None and known is None and store.url.is_sqlite:
        url = f"{store.url.url.database}.artifacts"
    wanted = shelf_of(url).url if url is not None else known
    if wanted is None:
        raise RequestError("the store does not know the artifact storage yet", hint=EXAMPLE)
    if known is not None and known != wanted:
        raise RequestError(
            f"this fleet has its artifacts in {known}, not in {wanted}", hint="leave out --artifacts"
        )
    shelf = shelf_of(wanted)
    if known is None:
        shelf.make()
        store.remember(KEY, wanted)
    return shelf


def user_name(given: str | None) -> str:
    """Who asks, as it is kept: on one line. Raises RequestError for an empty name."""
    name = given if given is not None else own_user()
    if not name.strip() or len(name) > LONGEST_NAME:
        raise RequestError("--user is empty or too long", hint="--user NAME, at most 64 characters")
    return one_line(name, LONGEST_NAME)


def require_times(cron: str, timezone: str) -> None:
    """Raises RequestError."""
    from farm.fleet.nouns import require_engine

    require_engine()
    from farm.fleet.nightlies.times import require_cron, zone_of

    require_cron(cron)
    zone_of(timezone)


def moment(at_s: int, timezone: str) -> str:
    """With the offset of its time zone."""
    from farm.fleet.nightlies.times import shown, zone_of

    try:
        return shown(at_s, zone_of(timezone))
    except RequestError:  # a zone that is not known here
        return moment(at_s, "UTC")
    except ValueError as error:
        return str(error)


def next_text(schedule: Schedule) -> str:
    """When it is begun next, and what that needs."""
    text = f"{moment(schedule.next_s, schedule.timezone)} ({schedule.timezone})"
    return text if schedule.is_of_this_version else f"{text}, needs a worker of {schedule.version}"


def schedule_json(schedule: Schedule) -> dict[str, Any]:
    return {
        "name": schedule.name, "user": schedule.user, "cron": schedule.cron, "timezone": schedule.timezone,
        "priority": schedule.priority, "version": schedule.version,
        "next": moment(schedule.next_s, schedule.timezone), "sites": schedule.sites,
        "devices": [device for device, _, _ in schedule.lanes],
        "last_run": schedule.last_run, "last_at": schedule.last_at, "last_how": schedule.last_how,
    }  # fmt: skip
