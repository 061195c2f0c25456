"""Live pages as events: each page is told what is new since what it was told before."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from farm.model.limits.deadlines import Deadlines
from farm.serve.fleet import Fleet
from farm.serve.nouns import Page
from farm.serve.render import fleet_page, run_page, shelf_page
from farm.serve.shelf import Shelf
from farm.serve.topic import Topic

EVERY_S = 1.0
"""Between two looks at the disk while somebody looks at a page."""
MOST_RUNS = 64
"""Whose pages are kept."""
MOST_OPEN = 200
"""Pages that get events at a time."""


class NoRunError(Exception):
    """There is no such run."""


class Live:
    """The pages of one server. `closing` ends all events."""

    def __init__(self, shelf: Shelf, fleet: Fleet, deadlines: Deadlines) -> None:
        self._shelf = shelf
        self._fleet = fleet
        self._deadlines = deadlines
        self.closing = asyncio.Event()
        self._open = 0
        self._runs: OrderedDict[str, Topic] = OrderedDict()
        self.shelf = self._topic(self._shelf_page)
        self.fleet = self._topic(self._fleet_page)

    @property
    def is_full(self) -> bool:
        return self._open >= MOST_OPEN

    def run(self, run_id: str) -> Topic:
        """The page of a run; NoRunError comes from its `now`."""
        topic = self._runs.get(run_id) or self._topic(partial(self._run_page, run_id))
        self._runs[run_id] = topic
        self._runs.move_to_end(run_id)
        while len(self._runs) > MOST_RUNS:
            self._runs.popitem(last=False)
        return topic

    async def events(self, topic: Topic) -> AsyncIterator[str]:
        """JSON: by id of an element what is new in it, `set` (HTML by key) and, where it changed, `order`."""
        self._open += 1
        told: Page | None = None
        try:
            async for page in topic.pages(self.closing):
                yield json.dumps(changes(told, page))
                told = page
        except NoRunError:
            return
        finally:
            self._open -= 1

    def _topic(self, make: Callable[[], Awaitable[Page]]) -> Topic:
        late = f"the folder of the runs did not answer {self._deadlines.ran_out('serve-disk')}"
        return Topic(make, EVERY_S, self._deadlines.serve_disk_s, late)

    async def _shelf_page(self) -> Page:
        return await asyncio.to_thread(lambda: shelf_page(self._shelf.look()))

    async def _run_page(self, run_id: str) -> Page:
        def made() -> Page | None:
            now = self._shelf.run(run_id)
            return run_page(now) if now is not None else None

        page = await asyncio.to_thread(made)
        if page is None:
            raise NoRunError
        return page

    async def _fleet_page(self) -> Page:
        devices = await self._fleet.look()
        return await asyncio.to_thread(fleet_page, devices)


def changes(before: Page | None, now: Page) -> dict[str, dict[str, object]]:
    """Of each part what is not as it was; nothing of a part that is."""
    found: dict[str, dict[str, object]] = {}
    for name, pieces in now.parts.items():
        old = before.parts[name] if before is not None else {}
        new = {key: html for key, html in pieces.items() if old.get(key) != html}
        is_same_order = before is not None and list(old) == list(pieces)
        if new or not is_same_order:
            found[name] = {"set": new} | ({} if is_same_order else {"order": list(pieces)})
    return found
