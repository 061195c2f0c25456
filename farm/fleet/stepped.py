"""The journal of a lane that a worker runs: what happens becomes steps of the engine.

The place of `JournalWriter` in a Recorder. Who waits for an event goes on once its step is recorded in the
store: a round is forgotten by its device only then.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

from farm.model.journal import CellEnded, Event, OutputsCompared, PhasePlanned, Prepared, RoundEnded

LASTING = (RoundEnded, Prepared, PhasePlanned, OutputsCompared, CellEnded)
"""Events that a step ends with; what else happens is told with the next of these."""


class StepJournal:
    """For one event loop. `lost` and `error` are those of a JournalWriter: nothing is ever lost here."""

    def __init__(self) -> None:
        self.lost = 0
        self.error: OSError | None = None
        self._waiting: list[tuple[Event, Future[None]]] = []
        self._taken: list[Future[None]] = []
        self._lasting = asyncio.Event()

    def put(self, event: Event) -> Future[None]:
        """The future ends once the step that has the event is recorded."""
        done: Future[None] = Future()
        self._waiting.append((event, done))
        if isinstance(event, LASTING):
            self._lasting.set()
        return done

    async def lasting(self) -> None:
        """Wait until there is something that is worth a step."""
        await self._lasting.wait()

    def take(self) -> list[Event]:
        """All that is not in a step yet."""
        batch, self._waiting = self._waiting, []
        self._lasting.clear()
        self._taken += [done for _, done in batch]
        return [event for event, _ in batch]

    def recorded(self) -> None:
        """What was taken is in the store."""
        taken, self._taken = self._taken, []
        for done in taken:
            if not done.done():
                done.set_result(None)

    def close(self) -> None:
        """As that of a JournalWriter: nothing is open."""
