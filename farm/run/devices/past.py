"""How devices do against their own past, by the database of all runs, where there is one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from farm.errors import FarmError
from farm.history.place import database_of, folder_of, is_there
from farm.model.limits.deadlines import Deadlines
from farm.run.health.nouns import Slower

if TYPE_CHECKING:
    from farm.history.nouns import Series

LOOKED_AT_S = 400 * 86_400.0


async def slower_devices(
    runs_dir: Path, names: Sequence[str], deadlines: Deadlines, note: Callable[[str], None]
) -> Mapping[str, Slower]:
    """Those that are slower than they were, within the deadline `history`. Where it cannot be told, `note`
    says why, and no device is blamed.
    """
    where = database_of(runs_dir)
    if not await asyncio.to_thread(is_there, where):
        return {}
    until = time.monotonic() + deadlines.history_s
    try:
        async with asyncio.timeout(deadlines.history_s):
            return await asyncio.to_thread(_read, where, runs_dir, names, until)
    except TimeoutError:
        more = deadlines.more("history")
        note(
            f"the devices' own history was not read {deadlines.ran_out('history')}; to give it longer: {more}"
        )
    except FarmError as error:
        note(f"the devices' own history is not known: {error}")
    return {}


def _read(where: str, runs_dir: Path, names: Sequence[str], until: float) -> dict[str, Slower]:
    from farm.history.database import opened  # SQLAlchemy takes a third of a second to import
    from farm.history.query import Wanted, series
    from farm.run.health.slowing import slower

    folder, since_s = folder_of(runs_dir), time.time() - LOOKED_AT_S
    with opened(where) as connection:
        found = (
            (name, slower(_in_time(series(connection, Wanted(folder, device=name, since_s=since_s)), until)))
            for name in names
        )
        return {name: one for name, one in found if one is not None}


def _in_time(found: Iterable[Series], until: float) -> Iterator[Series]:
    """Raises TimeoutError once nobody waits any more: a thread is not cancelled."""
    for one in found:
        if time.monotonic() >= until:
            raise TimeoutError
        yield one
