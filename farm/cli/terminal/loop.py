"""Run a coroutine so that Ctrl-C and SIGTERM cancel it and let it clean up."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, with SIGINT, SIGTERM and SIGHUP turned into one cancellation.

    Raises KeyboardInterrupt after the work has cleaned up.
    """
    interrupted = False

    async def main() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None, "asyncio.run makes a task"

        def interrupt() -> None:
            nonlocal interrupted
            if not interrupted:  # a second signal does not cut the clean-up short
                interrupted = True
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, interrupt)
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except BaseExceptionGroup as group:
        if interrupted:
            raise KeyboardInterrupt from group
        raise
