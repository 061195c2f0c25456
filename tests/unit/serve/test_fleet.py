"""What devices said is not overwritten by a look at runs and notes, which takes a thread."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

from farm.model.device import Address, Device, Inventory, Runtime, RuntimeKind
from farm.model.limits.deadlines import Deadlines
from farm.serve.fleet import Fleet
from farm.serve.nouns import Health, ShelfNow
from farm.serve.shelf import Shelf


class SlowShelf(Shelf):
    """One whose disk answers when it is told to."""

    def __init__(self, runs_dir: Path) -> None:
        super().__init__(runs_dir)
        self.goes_on = threading.Event()
        self.began = threading.Event()

    def recent(self, age_s: float) -> ShelfNow:
        self.began.set()
        assert self.goes_on.wait(30)
        return super().recent(age_s)


async def test_what_a_device_says_during_a_look_stays(tmp_path: Path) -> None:
    device = Device("d", Address("127.0.0.1", 1), Runtime(RuntimeKind.WHEEL))
    shelf = SlowShelf(tmp_path)
    watched = Fleet(Inventory((device,), None, tmp_path / "known"), [device], shelf, Deadlines())
    looking = asyncio.create_task(watched.look())
    await asyncio.to_thread(shelf.began.wait, 30)
    seen = watched._seen["d"]
    seen.now = replace(seen.now, health=Health(5.0))
    shelf.goes_on.set()
    (now,) = await looking
    await watched.close()
    assert now.health == Health(5.0)
