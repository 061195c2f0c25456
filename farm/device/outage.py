"""How long a session has had no device, over several connections that did not last."""

from __future__ import annotations

import asyncio
import random

from farm.model.limits.deadlines import Deadlines

STARTING = frozenset({"protocol", "key-refused", "no-home", "no-tool", "unwritable", "io"})
"""What a device may answer while it is started or stopped: logins that are not allowed yet (`nologin`),
disks that are not mounted, an agent that is killed before it greets. It may be over soon.
"""
FIRST_PAUSE_S = 0.5
DOUBLINGS = 4
"""Up to 8 s."""
JITTER = 0.5
"""Of each pause, so much is left to chance: a hundred devices behind one switch that was restarted do not
come back in the same moment, again and again.
"""


class Outage:
    """An agent that dies at each request is no device, however often it can be reached. So a new connection
    ends an outage only when something was done on it, or it answered for a while; until then the time to come
    back runs on and pauses become longer.
    """

    def __init__(self, deadlines: Deadlines, chance: random.Random) -> None:
        self._deadlines = deadlines
        self._chance = chance
        self._since: float | None = None
        self._connected_at = 0.0
        self._tries = 0

    def connected(self) -> None:
        """A connection is there."""
        self._connected_at = _now()

    def begins(self, heard_at: float | None) -> None:
        """A connection was lost, on which the last reply came at this time (None: never)."""
        if heard_at is not None and heard_at - self._connected_at > 2 * self._deadlines.beat_s:
            self.ends()
        if self._since is None:
            self._since = _now()

    def ends(self) -> None:
        """Something was done."""
        self._since, self._tries = None, 0

    def left_s(self) -> float | None:
        """How long it may still last; None when it may not. A first try is always left."""
        assert self._since is not None, "there is no outage"
        left_s = self._since + self._deadlines.reconnect_s - _now()
        return left_s if left_s > 0 or not self._tries else None

    def pause_s(self) -> float:
        """Before the next try: none before the first, then longer and longer."""
        self._tries += 1
        if self._tries == 1:
            return 0.0
        most_s = FIRST_PAUSE_S * 2.0 ** min(self._tries - 2, DOUBLINGS)
        return most_s * (1 - JITTER * self._chance.random())


def _now() -> float:
    return asyncio.get_running_loop().time()
