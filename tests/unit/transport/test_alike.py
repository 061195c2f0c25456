"""What `ssh -G` says of hosts that nothing tells apart is asked once."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path

from farm.transport.openssh.alike import Own, answer_for_all


async def told(_: tuple[str, ...]) -> tuple[str, str]:
    return "user farm\n", ""


async def asked(loops: list[weakref.ref[asyncio.AbstractEventLoop]]) -> None:
    loops.append(weakref.ref(asyncio.get_running_loop()))
    await answer_for_all("ssh", (), Own(Path("/nowhere/config"), ()), told)


def test_an_event_loop_that_is_over_is_not_kept() -> None:
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []
    asyncio.run(asked(loops))
    asyncio.run(asked(loops))
    gc.collect()
    assert loops[0]() is None
