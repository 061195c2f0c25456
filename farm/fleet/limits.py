"""How many lanes may wait at a site, of all and of one user: a worker sets it, a submit keeps to it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa

from farm.fleet.database import ABOUT, Store

_NUMBER = re.compile(r"[0-9]{1,9}\Z")
OF_ALL, OF_ONE = "most-waiting", "most-waiting-per-user"


@dataclass(frozen=True)
class Limits:
    """Of a site; None: as many as are submitted."""

    site: str
    of_all: int | None = None
    of_one_user: int | None = None


def limit_key(site: str) -> str:
    """Under which the store remembers how many lanes may wait at a site."""
    return f"{OF_ALL}/{site}"


def user_limit_key(site: str) -> str:
    """Under which the store remembers how many lanes of one user may wait at a site."""
    return f"{OF_ONE}/{site}"


def limits(store: Store, site: str | None = None) -> tuple[Limits, ...]:
    """Of the sites that have some, by name; or of this one alone. Raises RunError."""
    asked = sa.select(ABOUT.c.key, ABOUT.c.value).where(ABOUT.c.key.startswith(OF_ALL))
    with store.transaction() as connection:
        rows = {str(key): str(value) for key, value in connection.execute(asked)}
    found = {key: int(value) for key, value in rows.items() if _NUMBER.match(value)}
    sites = sorted({key.partition("/")[2] for key in found if site in (None, key.partition("/")[2])})
    return tuple(Limits(one, found.get(limit_key(one)), found.get(user_limit_key(one))) for one in sites)
