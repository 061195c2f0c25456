"""A lab while it runs: its devices in a folder that is gone afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from farm.errors import RunError
from farm.model.limits.deadlines import Deadlines
from farm.sim.fleet import Fleet, fleet
from farm.sim.lab.reader import Lab
from farm.sim.lab.rights import require_boot_ids, require_linux, require_plain
from farm.sim.server import user_name
from farm.sim.threads import whole


@contextlib.asynccontextmanager
async def running(lab: Lab, deadlines: Deadlines) -> AsyncIterator[Fleet]:
    """All devices of the lab, started; nothing of them stays behind.

    Raises RunError where they cannot be started, and RequestError where a fault needs rights that the user
    has not.
    """
    await asyncio.to_thread(_require, lab)
    wanted = {name: one.properties for name, one in lab.devices.items()}
    async with contextlib.AsyncExitStack() as stack:
        with _translated():
            made: list[Path] = []
            stack.push_async_callback(asyncio.to_thread, _remove, made)
            await whole(lambda: made.append(_folder()))
            (folder,) = made
            try:
                async with asyncio.timeout(deadlines.sim_start_s):
                    started = await stack.enter_async_context(fleet(wanted, folder))
            except TimeoutError as error:
                late = deadlines.ran_out("sim-start")
                raise RunError(
                    f"the {len(wanted)} devices of {lab.path.name} did not start {late}",
                    hint=deadlines.more("sim-start"),
                ) from error
        yield started


def _require(lab: Lab) -> None:
    require_linux()
    user_name()
    require_boot_ids(lab.devices)


def _folder() -> Path:
    parent = Path(tempfile.gettempdir())
    require_plain(parent)
    return Path(tempfile.mkdtemp(prefix="farm-lab-", dir=parent))


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """A full disk, no more processes, a key that cannot be made."""
    try:
        yield
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        raise RunError(
            f"cannot start the simulated devices:{where} {error.strerror or error}",
            hint="make room, or take another folder: TMPDIR=/var/tmp farm sim ...",
        ) from error
    except subprocess.SubprocessError as error:
        raise RunError(
            f"cannot make the keys of a simulated device: {error}", hint="see whether ssh-keygen works"
        ) from error
