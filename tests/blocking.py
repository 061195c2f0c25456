"""What stops the event loop: found by blockbuster, which raises where farm reads, writes, waits or sleeps in it.

In the process of the tests by a fixture of tests/conftest.py; in the processes of `farm` that tests start by
running this file in its place: `python -m tests.blocking bench ...`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from blockbuster import blockbuster_ctx

ALLOWED = {
    # Small files on the controller's own disk, written while devices are measured: to go to a thread.
    "farm/run/collect.py": {"collect"},
    "farm/store/runs.py": {"journal", "write_results"},
    "farm/store/programs.py": {"find", "keep"},
    "farm/store/products.py": {"find", "keep"},
    # Files of the package, some kilobytes, once per device.
    "farm/agents.py": {"agent_script", "runner_files", "unpack_script"},
    "farm/device/session.py": {"_connect"},
    "farm/run/check.py": {"_check"},
    # Digests of the program and its libraries are known from the plan; asks only when they were changed last.
    "farm/plan/layout.py": {"native_files"},
}
"""By file the functions in which it may be stopped. A row less is a promise more."""


@contextmanager
def nothing_blocks() -> Iterator[None]:
    with blockbuster_ctx("farm") as buster:
        for function in buster.functions.values():
            for file, names in ALLOWED.items():
                function.can_block_in(file, names)
        yield


if __name__ == "__main__":
    from farm.cli.main import main

    with nothing_blocks():
        main()
