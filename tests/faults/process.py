"""`farm` in a process of its own, in a folder of its own, for campaigns that are no tests of pytest."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from farm.runtime.cache import default_root

LIMIT_S = 300.0


def make_place(folder: Path) -> None:
    """A home and a cache for `farm`; the runtime is everybody's."""
    for one in ("devices", "home", "cache"):
        (folder / one).mkdir()
    (folder / "cache" / "runtimes").symlink_to(default_root())


async def run(folder: Path, *words: str, runs_dir: str = "runs") -> tuple[int, str]:
    """The exit code and all that it says; -1 for one that did not end in time and was killed."""
    environment = os.environ | {
        "HOME": str(folder / "home"), "FARM_CACHE_DIR": str(folder / "cache"), "COLUMNS": "200",
        "FARM_STAT": "/dev/null",
        "FARM_SHARED": "/dev/null",
    }  # fmt: skip
    environment.pop("SSH_AUTH_SOCK", None)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "farm", *words, "--runs-dir", runs_dir,
        cwd=folder, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(LIMIT_S):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return -1, "it did not end"
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")
