"""Writes the journal in a thread of its own: the event loop waits for no disk, and lines keep their order."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Protocol

from farm.model.journal import Event
from farm.store.journal import JournalFile, line_of, prepare


class Journal(Protocol):
    """Where the events of a run are kept: on this machine's disk, or elsewhere (farm.fleet.stepped)."""

    lost: int
    """How many events could not be written."""
    error: OSError | None
    """Why not, the last time."""

    def put(self, event: Event) -> Future[None]:
        """Keep an event after all earlier ones. The future ends when it is safe, or with OSError."""

    def close(self) -> None:
        """Nothing more comes."""


class JournalWriter:
    """Events put by one thread, written by another; those that wait together share one flush to the disk."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._thread.submit(prepare)
        self._waiting: list[tuple[Event, Future[None]]] = []
        self._guard = Lock()
        self.lost = 0
        """How many events could not be written."""
        self.error: OSError | None = None
        """Why not, the last time."""

    def put(self, event: Event) -> Future[None]:
        """Write an event after all earlier ones. The future ends when it is on disk, or with OSError."""
        done: Future[None] = Future()
        with self._guard:
            self._waiting.append((event, done))
        self._thread.submit(self._flush)
        return done

    def close(self) -> None:
        """Wait for what is still to be written, then give up the journal and its lock."""
        self._thread.shutdown()
        self._file.close()

    def _flush(self) -> None:
        with self._guard:
            batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            self._file.append(b"".join(line_of(event) for event, _ in batch))
        except BaseException as error:  # noqa: BLE001 - whoever waits for it must hear of it
            self.lost += len(batch)
            self.error = error if isinstance(error, OSError) else OSError(str(error))
            for _, done in batch:
                done.set_exception(self.error)
        else:
            for _, done in batch:
                done.set_result(None)
