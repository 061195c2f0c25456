"""What several pages show: looked at once for all of them, and only while somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from farm.serve.nouns import Page


class LateError(Exception):
    """Nothing was seen in time. The message is for people."""


class Topic:
    """`make` makes the page; it is called again no sooner than `every_s` after it was done. One that takes
    longer than `limit_s` is not waited for, and not called a second time before its end.
    """

    def __init__(
        self, make: Callable[[], Awaitable[Page]], every_s: float, limit_s: float, late: str
    ) -> None:
        self._make = make
        self._every_s = every_s
        self._limit_s = limit_s
        self._late = late
        self._page: Page | None = None
        self._at = float("-inf")
        self._looking: asyncio.Future[Page] | None = None

    async def now(self) -> Page:
        """The page, at most `every_s` old, or older where a look takes too long. Raises LateError where there
        is none at all.
        """
        loop = asyncio.get_running_loop()
        if self._looking is not None and self._looking.done():  # nobody waited for it to its end
            looking, self._looking = self._looking, None
            if not looking.cancelled() and looking.exception() is None:
                self._page, self._at = looking.result(), loop.time()
        if self._page is not None and loop.time() - self._at < self._every_s:
            return self._page
        self._looking = looking = self._looking or asyncio.ensure_future(self._make())
        await asyncio.wait({looking}, timeout=self._limit_s)
        if looking.done():
            if self._looking is looking:
                self._looking, self._at = None, loop.time()
            self._page = looking.result()
        if self._page is None:
            raise LateError(self._late)
        return self._page

    async def pages(self, closing: asyncio.Event) -> AsyncIterator[Page]:
        """The page now, and each time that it is another one, until `closing`. None is kept for who is slow:
        the next one is the newest.
        """
        shown: Page | None = None
        while not closing.is_set():
            page = await self.now()
            if page is not shown and page != shown:
                yield page
            shown = page
            try:
                async with asyncio.timeout(self._every_s):
                    await closing.wait()
            except TimeoutError:
                continue
