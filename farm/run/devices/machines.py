"""Devices of an inventory that are one machine: reached by two names, or in two containers of one kernel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from farm.model.device import Facts

Machine = tuple[str, str]


def machine_of(facts: Facts) -> Machine | None:
    """What two devices have in common that are one machine now; None where a device does not tell."""
    if facts.machine is None or facts.boot_id is None:
        return None
    return facts.machine, facts.boot_id


class Machines:
    """Those of one run: each does one thing at a time, under whatever names it is known."""

    def __init__(self) -> None:
        self._known: dict[Machine, tuple[str, asyncio.Lock]] = {}

    @asynccontextmanager
    async def alone(self, device: str, facts: Facts, note: Callable[[str], None]) -> AsyncIterator[None]:
        """No other device of the run that is the same machine is worked on meanwhile; `note` hears of one."""
        machine = machine_of(facts)
        if machine is None:
            yield
            return
        first, lock = self._known.setdefault(machine, (device, asyncio.Lock()))
        if first != device:
            note(f"it is the same machine as {first}: they are measured one after the other")
        async with lock:
            yield
