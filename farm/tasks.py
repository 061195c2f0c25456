"""Ends of tasks of asyncio."""

from __future__ import annotations

import asyncio
from typing import Any


async def ended(task: asyncio.Task[Any], *expected: type[Exception]) -> None:
    """Cancel it and wait until it has ended. Raises what it raises, unless that is `expected`.

    `await task` would not tell our own cancellation from the task's: whoever suppresses that goes on after a
    Ctrl-C. Raises CancelledError for our own only.
    """
    task.cancel()
    await asyncio.wait({task})
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, expected):
        raise error
