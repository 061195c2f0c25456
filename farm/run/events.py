"""Events of a run in progress. The CLI renders them; nothing here knows a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from farm.plan.estimate import Span


class Kind(StrEnum):
    """What an event is about."""

    STEP = "step"
    TRANSFER = "transfer"
    ROUND = "round"
    NOTE = "note"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass(frozen=True)
class Event:
    """One step of one device. `done` and `total` count rounds (ROUND) or bytes (TRANSFER); `left` is how long
    the device has still to work, where that is known. `boot_id` is the device's, once it was probed.
    """

    device: str
    kind: Kind
    text: str
    done: int = 0
    total: int | None = None
    left: Span | None = None
    boot_id: str | None = None


Listener = Callable[[Event], None]
