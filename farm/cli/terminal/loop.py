"""Run a coroutine so that Ctrl-C, SIGTERM and SIGHUP cancel it and let it clean up."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from farm.cli import failure
from farm.cli.terminal import signals

T = TypeVar("T")


class _Threads(ThreadPoolExecutor):
    """Threads that nobody waits for: one that looks up a name in a dead network cannot be stopped."""

    def shutdown(self, *_: Any, **_more: Any) -> None:
        super().shutdown(wait=False, cancel_futures=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, with SIGINT, SIGTERM and SIGHUP turned into one cancellation.

    Raises KeyboardInterrupt after the work has cleaned up, whatever it made of the cancellation.
    """
    interrupted = False
    logging.getLogger("asyncio").addFilter(_is_news)
    gc.freeze()  # modules and classes stay: they are not looked through while devices wait

    async def main() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None, "asyncio.run makes a task"
        loop.set_default_executor(_Threads())
        loop.set_exception_handler(_note)

        def interrupt() -> None:
            nonlocal interrupted
            interrupted = True
            loop.call_soon_threadsafe(task.cancel)  # a signal's handler may run in the middle of anything

        with signals.calling(interrupt):
            return await work

    try:
        result = asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except Exception as error:
        if interrupted:
            raise KeyboardInterrupt from error
        raise
    if interrupted:
        raise KeyboardInterrupt
    return result


def _is_news(record: logging.LogRecord) -> bool:
    """Not that an idle worker, which is killed at the end, was waited for twice: by its transport, and by
    asyncio's watcher, which warns then.
    """
    return not record.getMessage().startswith("Unknown child process pid")


def _note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody awaited. It has no traceback on the terminal either."""
    failure.note(context.get("exception") or RuntimeError(context["message"]))
