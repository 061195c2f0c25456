"""Names of a fleet: its store by URL, sites, lanes."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

import farm
from farm.errors import RequestError

if TYPE_CHECKING:
    from farm.fleet.shelf import Shelf
    from farm.model.device import Inventory
    from farm.model.limits.deadlines import Deadlines
    from farm.run.events import Listener

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
LONGEST_ID = 100
"""Of run and device together: both stand in the names of jobs on the device."""
KINDS = ("postgresql", "sqlite")
EXAMPLE = "--store postgresql://farm@db.lab/farm, or on one machine --store sqlite:///farm-store.db"
VERSION = f"farm-{farm.__version__}"
"""Lanes are run by workers of the version that submitted them: plans and steps of others may differ."""
HIDDEN = "***"
PRIORITIES = ("high", "normal", "low")
"""Of lanes that wait for one device: the first is run first."""


@dataclass(frozen=True)
class StoreUrl:
    """Where the queue of a fleet is. Only `connect` has the password; no message may have that."""

    url: URL

    @property
    def connect(self) -> str:
        return self.url.render_as_string(hide_password=False)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    def __repr__(self) -> str:
        return f"StoreUrl({self})"

    def hide(self, text: str) -> str:
        """A message of a library, without the password."""
        secret = str(self.url.password or "")
        return text.replace(self.connect, str(self)).replace(secret, HIDDEN) if secret else text


@dataclass(frozen=True)
class Site:
    """What a worker has for its lanes: its inventory, the shared storage, its own folder, whose lanes it
    takes (none: everybody's), and who hears of them.
    """

    name: str
    inventory: Inventory
    shelf: Shelf
    folder: Path
    users: frozenset[str]
    deadlines: Deadlines
    note: Callable[[str], None]
    tell: Listener


def store_url(text: str) -> StoreUrl:
    """Raises RequestError, without repeating what may hold a password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise RequestError("--store is not a URL", hint=EXAMPLE) from error
    kind = url.get_backend_name()
    if kind not in KINDS:
        raise RequestError(f"--store: {kind} is neither postgresql nor sqlite", hint=EXAMPLE)
    if kind == "sqlite":
        if not url.database or url.database == ":memory:":
            raise RequestError("--store: sqlite needs a file", hint=EXAMPLE)
        return StoreUrl(url.set(drivername="sqlite"))
    if any("password" in key.lower() for key in url.query):
        raise RequestError(
            "--store: a password among the parameters could be shown",
            hint="put it before the host (postgresql://user:password@host/db), or into ~/.pgpass",
        )
    return StoreUrl(url.set(drivername="postgresql"))


def require_engine() -> None:
    """Raises RequestError where the extra is not installed."""
    missing = [name for name in ("dbos", "psycopg") if importlib.util.find_spec(name) is None]
    if missing:
        raise RequestError(
            f"not installed, and needed for a fleet: {', '.join(missing)}",
            hint="pip install 'megengine-farm[fleet]'",
        )


def site_name(text: str) -> str:
    """Raises RequestError."""
    if not NAME.match(text):
        raise RequestError(
            f"--site: {text!r} is not a name",
            hint="letters, digits and . _ -, at most 64; in an inventory it is the key `site` of a device",
        )
    return text


def queue_of(site: str) -> str:
    return f"site-{site}"


def lane_id(run: str, device: str) -> str:
    return f"{run}/{device}"


def split_lane(lane: str) -> tuple[str, str]:
    """Run and device of a lane's id. Raises ValueError for what is none."""
    run, found, device = lane.partition("/")
    if not found or not NAME.match(device) or not re.match(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z", run):
        raise ValueError(f"{lane!r} is not the id of a lane")
    return run, device


def work_id(run: str, device: str) -> str:
    """The name of a lane as a run of its own: of its folder, its lease and its jobs on the device."""
    return f"{run}.{device}"
