"""What stops the event loop: found by blockbuster, which raises where farm reads, writes, waits or sleeps in it.

In the process of the tests by a fixture of tests/conftest.py; in the processes of `farm` that tests start by
running this file in its place: `python -m tests.blocking bench ...`.
"""

from __future__ import annotations

import inspect
import runpy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from blockbuster import BlockBuster

import farm

TESTS, FARM = str(Path(__file__).parent), str(Path(farm.__file__).parent)
ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

ALLOWED = {
    # Files of the package, some kilobytes, once per device.
    "farm/agents.py": {"agent_script", "runner_files", "unpack_script"},
    "farm/device/session.py": {"_connect"},
    "farm/run/devices/agents.py": {"agent_of"},
}
"""By file the functions in which it may be stopped. A row less is a promise more."""


@contextmanager
def nothing_blocks() -> Iterator[None]:
    buster = BlockBuster("farm")
    for function in buster.functions.values():
        function.can_block_predicate = _unless_a_test_does_it(function.can_block_predicate)
        for file, names in ALLOWED.items():
            function.can_block_in(file, names)
        function.can_block_in("coverage/collector.py", {"lock_data"})  # coverage's own, when a thread starts
        # An import, of what a thread is just importing: that takes no longer than it would take here.
        function.can_block_in("<frozen importlib._bootstrap>", {"_lock_unlock_module"})
    buster.activate()
    try:
        yield
    finally:
        buster.deactivate()


def _unless_a_test_does_it(harmless: Callable[..., bool]) -> Callable[..., bool]:
    """An async test that calls a plain function of farm stops its own loop, and may."""

    def can_block(*arguments: object, **more: object) -> bool:
        if harmless(*arguments, **more):
            return True
        outermost, called = None, inspect.currentframe()
        while called and not _is_coroutine_of_tests(called):
            outermost = called if called.f_code.co_filename.startswith(FARM) else outermost
            called = called.f_back
        return called is not None and outermost is not None and not outermost.f_code.co_flags & ASYNC

    return can_block


def _is_coroutine_of_tests(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(TESTS) and bool(frame.f_code.co_flags & ASYNC)


if __name__ == "__main__":
    with nothing_blocks():
        runpy.run_module("farm", run_name="__main__", alter_sys=True)
