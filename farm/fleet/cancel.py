"""`farm runs cancel`: the lanes of a run are not begun any more, and those that run are stopped."""

from __future__ import annotations

import socket

from farm.fleet.client import LaneState, client_of, lanes_of
from farm.fleet.database import Store


def cancel(store: Store, run: str, user: str) -> list[LaneState]:
    """The lanes that were not over. A device is free once its worker has seen it, a second or two later.

    Raises RequestError for a run that has none in the store, RunError.
    """
    found = lanes_of(store, run)
    left = [lane for lane in found if not lane.is_over]
    if left:
        with client_of(store) as client:
            client.cancel_workflows([lane.id for lane in left])
    with store.transaction() as connection:
        store.note(connection, "cancel", (user, socket.gethostname()), run=run, detail=f"{len(left)} lanes")
    return left
