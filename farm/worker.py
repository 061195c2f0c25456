"""Work that would keep the event loop busy, in a process of its own: a thread holds the interpreter lock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

P = ParamSpec("P")
T = TypeVar("T")


class WorkerError(Exception):
    """The work was not done: it took too long, or its process ended. The message is for people."""


class LateError(WorkerError):
    """It took longer than its limit."""


async def in_worker(limit_s: float, function: Callable[P, T], *arguments: P.args, **more: P.kwargs) -> T:
    """The result of a function of a module, whose arguments and result can be pickled; as many at a time as
    there are processors. The process is killed when the caller is cancelled, or `limit_s` seconds after it
    was this work's turn.

    Raises WorkerError, and what the function raises.
    """
    assert not more, "a worker takes positional arguments"
    try:
        async with to_process.current_default_process_limiter(), asyncio.timeout(limit_s):
            mine = CapacityLimiter(1)  # anyio's own would count the wait for a turn
            return await to_process.run_sync(function, *arguments, cancellable=True, limiter=mine)
    except TimeoutError as error:
        raise LateError(f"it took longer than {limit_s:.0f} s") from error
    except (BrokenWorkerProcess, MemoryError) as error:
        raise WorkerError("its process ended (out of memory?)") from error
