"""Which flags a native program really has: asked of it once, kept by its digest.

What a load_and_run has depends on how it was built: `--cuda`, `--tensorrt`, `--profile` and others are
unknown flags in builds without them. Its `--help` lists what it has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from farm import resources
from farm.dialect.help import parse_flags
from farm.errors import DeviceError, Fault, RequestError, Stage
from farm.files import write_atomic
from farm.model.device import Runtime, RuntimeKind
from farm.model.matrix import Cell
from farm.options import option, unknown_to
from farm.pipeline.deploy import Deployed, content_digest, native_files
from farm.pipeline.jobs import JobSpec, run_small
from farm.pipeline.session import Session

HELP_LIMIT_S = 60
UNKNOWN_HELP = (
    "the program's --help is not load_and_run's: what it cannot do shows only when the round is run"
)


@dataclass(frozen=True)
class Known:
    """The flags of a program, with underscores, and the device that it was asked on."""

    flags: frozenset[str]
    asked_on: str


class ProgramStore:
    """A folder: `<digest>.json` says which flags the program of that digest has. Safe for several farms."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, digest: str) -> Known | None:
        """What is known of a program; None when it was never asked."""
        try:
            found = json.loads(self.path(digest).read_text("utf-8"))
            return Known(frozenset(found["flags"]), str(found["asked_on"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def keep(self, digest: str, known: Known) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"asked_on": known.asked_on, "flags": sorted(known.flags)}, indent=1)
        write_atomic(self.path(digest), text.encode() + b"\n")

    def path(self, digest: str) -> Path:
        return self._root / f"{digest}.json"


def program_store() -> ProgramStore:
    """The user's own."""
    return ProgramStore(resources.cache_folder() / "programs")


async def flags_of(session: Session, deployed: Deployed, store: ProgramStore) -> frozenset[str]:
    """The flags of a deployed native program, asked of it when its digest is new.

    Empty when its answer is no help of gflags: that is not kept, since a program that could not start
    says as little. Raises DeviceError when the device cannot go on.
    """
    key = _key(session.device.runtime, deployed.digest)
    known = store.find(key) if key else None
    if known is None:
        spec = JobSpec(
            "program-help",
            (*deployed.program, "--help"),
            HELP_LIMIT_S,
            environment=(*deployed.environment, *session.device.environment),
        )
        outcome = await run_small(session, spec)
        known = Known(parse_flags(outcome.stdout.decode("utf-8", "replace")), session.device.name)
        if key and known.flags:
            store.keep(key, known)
    return known.flags


def unknown_flags(cell: Cell, flags: frozenset[str]) -> tuple[str, ...]:
    """The options that the cell's stages and rounds would send and a program of these flags does not have."""
    sent = (*(stage.options for stage in cell.stages), *(one.options for one in cell.rounds))
    return tuple(dict.fromkeys(name for options in sent for name in unknown_to(options, flags)))


def unknown_flag_error(names: Sequence[str]) -> DeviceError:
    """Why a cell with these options cannot be run."""
    return DeviceError(
        f"the program has no {_listed(names)}", stage=Stage.DEPLOY, fault=Fault.USER,
        cause="unknown-flag", hint=_way_out(names),
    )  # fmt: skip


def refuse_unknown_flags(cells: Sequence[Cell], store: ProgramStore) -> None:
    """Before a device is touched: refuse a variant that no chosen device's program can run.

    Judges pushed local builds whose flags are known. Where one device can run a variant and another
    cannot, the other's cell is its own matter: it may make no sense there anyway. Raises RequestError.
    """

    @cache
    def known_of(runtime: Runtime) -> Known | None:
        if runtime.kind is not RuntimeKind.NATIVE or runtime.on_device:
            return None
        return store.find(content_digest(native_files(runtime)))

    for variant in dict.fromkeys(cell.variant.name for cell in cells):
        complaints: list[str] = []
        for cell in cells:
            if cell.variant.name != variant:
                continue
            known = known_of(cell.device.runtime)
            names = unknown_flags(cell, known.flags) if known else ()
            if known is None or not names:
                break
            complaints.append(
                f"variant {variant!r}: {cell.device.runtime.program} of {cell.device.name} has no "
                f"{_listed(names)} (its --help on {known.asked_on} says so)"
            )
        else:
            raise RequestError(complaints[0], hint=_way_out(names))


def _key(runtime: Runtime, digest: str | None) -> str | None:
    """A name for the store. The digest of a program that is on the device comes from the device: it is
    checked before it becomes a path, and never stands for a build that was pushed.
    """
    if digest is None or not re.fullmatch(r"[0-9a-f]{64}", digest):
        return None
    return f"on-device-{digest}" if runtime.on_device else digest


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"--{name}" for name in names)


def _way_out(names: Sequence[str]) -> str:
    builds = dict.fromkeys(build for name in names if (build := option(name).needs.build))
    needs = f" (it needs {', '.join(builds)})" if builds else ""
    return f"use a build that has it{needs}, the wheel runtime, or leave it out"
