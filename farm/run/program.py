"""The flags of a native program, from its --help on a device; kept by its digest."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from farm.device.jobs import JobSpec, run_small
from farm.device.session import Session
from farm.logs.help import parse_flags
from farm.model.device import Runtime
from farm.run.deploy import Program
from farm.run.disk import not_kept
from farm.store.programs import Known, ProgramStore

HELP_LIMIT_S = 60
UNKNOWN_HELP = (
    "the program's --help is not that of load_and_run: unsupported options show only when a round runs"
)


async def flags_of(
    session: Session, program: Program, store: ProgramStore, note: Callable[[str], None]
) -> frozenset[str]:
    """The flags of a deployed native program; its --help is run when the digest is new.

    Empty when the output is not a help of gflags: that is not kept, because a program that could not start
    looks the same. Where the cache cannot be written there is a `note`. Raises DeviceError when the device
    cannot go on.
    """
    key = _key(session.device.runtime, program.digest)
    known = await asyncio.to_thread(store.find, key) if key else None
    if known is None:
        spec = JobSpec(
            "program-help",
            (*program.argv, "--help"),
            HELP_LIMIT_S,
            environment=(*program.environment, *session.device.environment),
        )
        outcome = await run_small(session, spec)
        known = Known(parse_flags(outcome.stdout.decode("utf-8", "replace")), session.device.name)
        if key and known.flags:
            try:
                await asyncio.to_thread(store.keep, key, known)
            except OSError as error:
                note(f"{not_kept(error)}: the program is asked again next time")
    return known.flags


def _key(runtime: Runtime, digest: str | None) -> str | None:
    """A name for the store. The digest of a program that is on the device comes from the device: it is
    checked before it becomes a path, and what is kept under it is never used for a build that was pushed: a
    device may claim any digest.
    """
    if digest is None or not re.fullmatch(r"[0-9a-f]{64}", digest):
        return None
    return f"on-device-{digest}" if runtime.on_device else digest
