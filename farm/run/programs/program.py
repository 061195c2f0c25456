"""The program of a device: looked at before anything is pushed, then asked for its flags."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from farm.binaries.fit import described, shown
from farm.binaries.read import HEAD_BYTES, Binary, Form, read_binary
from farm.causes.diagnose import NOT_STARTED, diagnose
from farm.causes.texts import LOADER
from farm.device.jobs import JobSpec, SmallOutcome, run_small
from farm.device.session import Session
from farm.errors import DeviceError, Fault, Stage
from farm.logs.help import parse_flags
from farm.model.device import Device, Facts, Python, Runtime, RuntimeKind
from farm.plan.layout import Files, digest_with_libraries
from farm.plan.programs import HINTS, LocalFile, read_build
from farm.run.deploy import PRELOAD_PATH, Program, environment_of
from farm.run.disk import not_kept
from farm.run.programs.platform import device_python, fitting_problems, require_wheel_platform
from farm.run.push.pusher import FILE_CHANGED
from farm.store.cache.programs import Known, ProgramStore

HELP_LIMIT_S = 60
FIND_LIMIT_S = 60
UNKNOWN_HELP = (
    "the program's --help is not that of load_and_run: unsupported options show only when a round runs"
)
STARTS = frozenset(row.cause for row in LOADER)
"""Causes that a program has which did not start."""

OF_A_PROGRAM = STARTS | {
    "architecture",
    "python-missing",
    "runtime-missing",
    "program-missing",
    "wrong-architecture",
    "program-damaged",
    "not-a-program",
    "loader-missing",
    FILE_CHANGED,
    PRELOAD_PATH,
}
"""Causes that are about one program: the device can run others."""

OF_THE_PROGRAM = b"== program "
FIND_PROGRAM = rf"""
p=$0
case $p in '~/'*) p=$HOME/${{p#'~/'}} ;; esac
p=$(command -v "$p") && [ -x "$p" ] && printf '%s\n' "$p" && sha256sum "$p" || exit
all=$(ldd "$p" 2>/dev/null) && printf '%s\n' "$all" | {{
  while read -r _ arrow path _; do
    [ "$arrow" != '=>' ] || sha256sum "$path" || echo unknown
  done
  echo whole
}}
printf '%s%s\n' '{OF_THE_PROGRAM.decode()}' "$(wc -c <"$p")"
head -c {HEAD_BYTES} "$p"
"""
"""Prints the path of a program, its digest, those of its libraries (or `unknown`), `whole` where these are
all, its size, and how it begins. There is no `ldd` on Android, and it knows nothing of a script that starts
the program.
"""

_DIGEST_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_SYSTEM_FOLDER = re.compile(r"/(usr/)?lib[^/]*/|/(system|system_ext|vendor|apex|product)/")
"""Where a device has the libraries that belong to it and not to a program."""


@dataclass(frozen=True)
class Checked:
    """What was found before anything is pushed: the program where it is on the device already, the wheel's
    interpreter, the user's own files, and a note on what was not looked at.
    """

    program: Program | None = None
    note: str | None = None
    python: Python | None = None
    files: Files = ()


async def check_program(session: Session, facts: Facts, runtime: Runtime, *, has_wheel: bool) -> Checked:
    """Look at what will be run.

    Raises DeviceError, stage `deploy`: `architecture`, `python-missing`, `runtime-missing`,
    `program-missing`, `wrong-architecture`, `program-damaged`, `not-a-program`, `loader-missing`.
    """
    files = await asyncio.to_thread(read_build, runtime)
    if runtime.kind is RuntimeKind.WHEEL:
        device = replace(session.device, runtime=runtime)
        require_wheel_platform(device, facts)
        python = device_python(device, facts)
        if not has_wheel:
            raise _refused(
                "runtime-missing", "the wheel runtime is not on this machine", "farm runtime install"
            )
        _require_fitting(session, facts, runtime, files)
        return Checked(python=python)
    _require_fitting(session, facts, runtime, files)
    if runtime.on_device:
        return await _find_native(session, facts, runtime.program or "")
    await _require_loader(session, facts, files[0])
    return Checked(note=_note(str(files[0].path), files[0].binary))


def _note(path: str, binary: Binary) -> str | None:
    """What is not looked at of a program."""
    if binary.form is not Form.SCRIPT:
        return None
    return f"{shown(path)} is {described(binary)}: the program that it starts was not looked at"


def _require_fitting(session: Session, facts: Facts, runtime: Runtime, files: tuple[LocalFile, ...]) -> None:
    """Raises DeviceError where the device cannot run or load one of these files of a runtime."""
    for problem in fitting_problems(session.device.name, facts, runtime, files):
        hint = _hint(problem.cause, session.device, facts)
        raise _refused(problem.cause, f"{problem.key}: {problem.text}", hint)


async def _require_loader(session: Session, facts: Facts, program: LocalFile) -> None:
    binary = program.binary
    words = (binary.interpreter or "").split() if binary.form is Form.SCRIPT else [binary.interpreter]
    loader = words[0] if words else None
    if not loader or loader in facts.loaders or loader in facts.tools:
        return
    outcome = await run_small(
        session, JobSpec("find-loader", ("sh", "-c", '[ -e "$0" ]', loader), FIND_LIMIT_S)
    )
    if outcome.exit_code == 0:
        return
    if binary.form is Form.SCRIPT:
        text = f"{program.path} is {described(binary)}, and {session.device.name} has no {shown(loader)}"
        raise _refused("loader-missing", text, "let its first line name what the device has")
    has = ", ".join(facts.loaders) or "none in the usual places"
    raise _refused(
        "loader-missing",
        f"{program.path} needs the dynamic loader {shown(loader)}, which {session.device.name} does not have "
        f"(C library: {facts.libc or 'not known'}; loaders: {has})",
        "link the program statically (-static), or build it for the device's C library",
    )


def _hint(cause: str, device: Device, facts: Facts) -> str:
    if cause != "wrong-architecture":
        return HINTS[cause]
    return (
        f"set runtime.program of {device.name} to a load_and_run built for {facts.architecture}; "
        f"`farm devices check {device.name}` shows what it is"
    )


def _refused(cause: str, message: str, hint: str) -> DeviceError:
    return DeviceError(message, stage=Stage.DEPLOY, fault=Fault.USER, cause=cause, hint=hint)


async def _find_native(session: Session, facts: Facts, program: str) -> Checked:
    """A program that is already on the device: it must exist and be executable; its digest is recorded."""
    argv = ("/bin/sh", "-c", FIND_PROGRAM, program)
    spec = JobSpec("find-program", argv, FIND_LIMIT_S, environment=session.device.environment)
    outcome = await run_small(session, spec)
    found = program_found(outcome.stdout)
    if found is None:
        raise _refused(
            "program-missing",
            f"program not found on the device, or not executable: {program}",
            "correct runtime.program, or use a local build without on_device, which is pushed",
        )
    size, _, head = outcome.stdout.partition(OF_THE_PROGRAM)[2].partition(b"\n")
    if not re.fullmatch(rb" *[0-9]{1,15} *", size):
        return Checked(found)  # a device without `wc` or `head`: the agent still looks at the program
    binary = read_binary(io.BytesIO(head), int(size))
    program_file = LocalFile("runtime.program", Path(found.argv[0]), binary)
    _require_fitting(session, facts, Runtime(RuntimeKind.NATIVE, program), (program_file,))
    await _require_loader(session, facts, program_file)
    return Checked(found, _note(found.argv[0], binary))


def program_found(stdout: bytes) -> Program | None:
    """What FIND_PROGRAM printed; None where there is no such program."""
    text = stdout.partition(OF_THE_PROGRAM)[0].decode("utf-8", "replace")
    path, *lines = text.splitlines() or [""]
    found = [(match[2], match[1]) for line in lines if (match := _DIGEST_LINE.fullmatch(line))]
    if not path or not found:
        return Program((path,), is_whole=False) if path else None
    (_, program), *libraries = found
    if lines[-1] != "whole" or len(found) < len(lines) - 1:
        return Program((path,), digest=program, is_whole=False)
    own = [(library, digest) for library, digest in libraries if not _SYSTEM_FOLDER.match(library)]
    every = hashlib.sha256("\n".join([program, *sorted({one for _, one in libraries})]).encode()).hexdigest()
    return Program((path,), digest=digest_with_libraries(program, own), linked=every)


async def flags_of(
    session: Session,
    runtime: Runtime,
    program: Program,
    store: ProgramStore,
    note: Callable[[str], None],
    *,
    here: bool = False,
) -> Known:
    """The flags of a deployed native program; its --help is run when the digest is new, or `here` where it
    was run on another device so far.

    Empty when the output is not a help of gflags: that is not kept, because a program that could not start
    looks the same. Where the cache cannot be written there is a `note`. Raises DeviceError when the device
    cannot go on, or cannot start the program.
    """
    key = _key(runtime, program.digest)
    known = await asyncio.to_thread(store.find, key) if key else None
    if known is None or (here and known.asked_on != session.device.name):
        spec = JobSpec(
            "program-help",
            (*program.argv, "--help"),
            HELP_LIMIT_S,
            environment=environment_of(program, session.device),
        )
        outcome = await run_small(session, spec)
        known = Known(parse_flags(outcome.stdout.decode("utf-8", "replace")), session.device.name)
        if not known.flags:
            _require_start(runtime.program or "", outcome)
        elif key:
            try:
                await asyncio.to_thread(store.keep, key, known)
            except OSError as error:
                note(f"{not_kept(error)}: the program is asked again next time")
    return known


def _require_start(program: str, outcome: SmallOutcome) -> None:
    """Raises DeviceError where a shell or the dynamic loader said why the program did not start."""
    if outcome.exit_code not in NOT_STARTED:
        return
    stdout, stderr = (text.decode("utf-8", "replace") for text in (outcome.stdout, outcome.stderr))
    cause = diagnose(outcome.exit_code, outcome.why, stdout, stderr)
    if cause.cause in STARTS:
        raise DeviceError(
            f"{program} did not start: {cause.message}",
            stage=Stage.DEPLOY,
            fault=cause.fault,
            cause=cause.cause,
            hint=cause.hint,
        )


def _key(runtime: Runtime, digest: str | None) -> str | None:
    """A name for the store. The digest of a program that is on the device comes from the device: it is
    checked before it becomes a path, and what is kept under it is never used for a build that was pushed: a
    device may claim any digest.
    """
    if digest is None or not re.fullmatch(r"[0-9a-f]{64}", digest):
        return None
    return f"on-device-{digest}" if runtime.on_device else digest
