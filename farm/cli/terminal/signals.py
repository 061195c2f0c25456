"""SIGINT, SIGTERM and SIGHUP: each is an interruption, and a second one does not cut the clean-up short."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNWIND_S = 2.0
CLEAN_UP_S = 30.0
"""For so long after an interruption further signals are ignored; then they interrupt again: no hang lasts."""


class _Interruptions:
    """What a signal does now. One per process, as signals are."""

    def __init__(self) -> None:
        self._ignored_until = float("-inf")
        self._instead: Callable[[], None] | None = None
        self._holding = False
        self._held = False

    def arrived(self, _number: int, _frame: FrameType | None) -> None:
        """The handler. Raises KeyboardInterrupt where nothing else was asked for."""
        if time.monotonic() < self._ignored_until:
            return
        if self._instead is not None:
            self.clean_up()
            self._instead()
        elif self._holding and not self._held:
            self._held = True
            self._ignored_until = time.monotonic() + UNWIND_S
        else:
            self._ignored_until = time.monotonic() + UNWIND_S
            raise KeyboardInterrupt

    def clean_up(self) -> None:
        self._ignored_until = time.monotonic() + CLEAN_UP_S

    @contextmanager
    def call(self, instead: Callable[[], None]) -> Iterator[None]:
        self._instead = instead
        try:
            yield
        finally:
            self._instead = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        self._holding, self._held = True, False
        try:
            yield
        finally:
            self._holding = False
        if self._held:
            self.clean_up()
            raise KeyboardInterrupt


_now = _Interruptions()


@contextmanager
def caught() -> Iterator[None]:
    """In this block a signal raises KeyboardInterrupt, once for signals that come together.

    A SIGHUP that was ignored (by nohup) stays ignored. Only for the main thread.
    """
    before = {number: signal.getsignal(number) for number in NUMBERS}
    for number, handler in before.items():
        if number != signal.SIGHUP or handler != signal.SIG_IGN:
            signal.signal(number, _now.arrived)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, handler)


@contextmanager
def calling(instead: Callable[[], None]) -> Iterator[None]:
    """In this block the first signal calls `instead`, and the others do nothing until CLEAN_UP_S later."""
    with caught(), _now.call(instead):
        yield


@contextmanager
def held() -> Iterator[None]:
    """For a block that should be finished: a signal raises KeyboardInterrupt at its end, a later one now."""
    with caught(), _now.hold():
        yield


def clean_up() -> None:
    """An interruption was seen: for CLEAN_UP_S no signal raises."""
    _now.clean_up()


def ignore() -> None:
    """From now on no signal changes how the process ends."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)
