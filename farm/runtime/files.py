"""The wheel runtime's files on the controller, as they are sent to devices."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from farm.model.artifact import Artifact
from farm.runtime import compact
from farm.runtime.cache import Progress
from farm.runtime.compact import Pack
from farm.runtime.install import InstalledRuntime
from farm.runtime.wheel import WHEEL, Wheel


@dataclass(frozen=True)
class WheelFiles:
    """`libraries` are the pristine files by their name in the tree, `cpu_libraries` the ones without CUDA
    code: those exist only in `cpu_pack`, and on devices. A pack is made when it is first asked for, in a
    thread; who is cancelled while waiting for it stops that thread.
    """

    libraries: tuple[tuple[str, Artifact], ...]
    cpu_libraries: tuple[tuple[str, Artifact], ...]
    cpu_pack: Callable[[], Awaitable[Pack]]
    full_pack: Callable[[], Awaitable[Pack]]


def wheel_files(runtime: InstalledRuntime, progress: Progress, *, wheel: Wheel = WHEEL) -> WheelFiles:
    """The files of an installed runtime."""
    return WheelFiles(
        libraries=compact.files(runtime, cuda=True, wheel=wheel),
        cpu_libraries=compact.files(runtime, cuda=False, wheel=wheel),
        cpu_pack=lambda: _in_a_thread(lambda told: compact.cpu_pack(runtime, told, wheel=wheel), progress),
        full_pack=lambda: _in_a_thread(lambda told: compact.full_pack(runtime, told, wheel=wheel), progress),
    )


async def _in_a_thread(make: Callable[[Progress], Pack], progress: Progress) -> Pack:
    stopped = threading.Event()

    def tell(label: str, done_bytes: int, total_bytes: int | None) -> None:
        if stopped.is_set():
            raise StoppedError
        progress(label, done_bytes, total_bytes)

    try:
        return await asyncio.to_thread(make, tell)
    except asyncio.CancelledError:
        stopped.set()
        raise


class StoppedError(Exception):
    """Nobody waits for the pack any more."""
