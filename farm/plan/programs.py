"""The programs of a request: what files and inventory alone show to be wrong, before a device is touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from farm.agents import runner_files
from farm.binaries.fit import described, is_for
from farm.binaries.machines import MACHINES, Machine, machine_named
from farm.binaries.read import Binary, Form, read_binary
from farm.inventory.files import files_of
from farm.inventory.mistakes import Mistake, refuse
from farm.model.build import INVENTORY_BUILD, Build
from farm.model.device import Device, Runtime, RuntimeKind
from farm.plan.builds import uses
from farm.runtime.wheel import WHEEL
from farm.suggest import nearest

WHEEL_MACHINE = "x86_64"
PRELOAD = "runtime.preload"
_LIBRARY = re.compile(r"lib/[^/]+\.so(\.[^/]*)?")
NATIVE_EXAMPLE = "runtime: {kind: native, program: builds/arm64/load_and_run}"
HINTS = {
    "architecture": f"build load_and_run for it, and say so in the inventory: {NATIVE_EXAMPLE}",
    "wrong-architecture": "use a load_and_run and libraries that are built for the device, or correct arch:",
    "program-damaged": "build or copy it again, and compare its size with the original",
    "not-a-program": "correct runtime.program in the inventory; a script must begin with #!",
    "overlay-name": "docs/builds.md lists what the names in overlay may be",
}
"""What to do about a problem, by its cause."""

_CPUS = frozenset((one.bits, one.number) for one in MACHINES)


@dataclass(frozen=True)
class LocalFile:
    """A file of a local build: its key in the inventory, where it is, what it is."""

    key: str
    path: Path
    binary: Binary


Reader = Callable[[Runtime], tuple[LocalFile, ...]]


@dataclass(frozen=True)
class Problem:
    """Why a file of a build cannot be used. `cause` is a word for scripts, `key` as in LocalFile."""

    cause: str
    key: str
    text: str


def refuse_wrong_programs(devices: Sequence[Device], builds: Sequence[Build] = (INVENTORY_BUILD,)) -> None:
    """Raise RequestError, with file and line, for programs and libraries that no device could run or load,
    or not one of the architecture that the inventory says.
    """
    read = cache(read_build)
    mistakes, causes = [], []
    for use in uses(builds, devices):
        # Where facts decide between several, none of them has to be for the device.
        machine = machine_named(use.device.architecture) if use.is_sure else None
        for problem in _planned_problems(use.device, machine, read):
            mistakes.append(Mistake(use.source, f"{use.owner}, {problem.key}: {problem.text}"))
            causes.append(problem.cause)
    refuse(mistakes, hint="; ".join(HINTS[cause] for cause in dict.fromkeys(causes)))


def _planned_problems(device: Device, machine: Machine | None, read: Reader) -> Iterator[Problem]:
    runtime = device.runtime
    yield from _misnamed(runtime)
    whose = f"the inventory says arch: {device.architecture}"
    if runtime.kind is RuntimeKind.WHEEL and machine is not None and machine.name != WHEEL_MACHINE:
        yield Problem("architecture", "runtime", not_for_wheel(whose))
    else:
        yield from runtime_problems(runtime, read(runtime), machine, whose, runs_narrow=True)


def _misnamed(runtime: Runtime) -> Iterator[Problem]:
    """Files of an overlay that nothing would read: they replace one that is there, or are libraries."""
    known = {"load_and_run"}
    if runtime.kind is RuntimeKind.WHEEL:
        known = {name for name, _ in runner_files()} | {f"lib/{one.name}" for one in WHEEL.libraries}
    for name, _ in runtime.overlay:
        if name not in known and not _LIBRARY.fullmatch(name):
            text = f"the {runtime.kind} runtime has no file {name}{nearest(name, known)}"
            yield Problem("overlay-name", f"runtime.overlay.{name}", f"{text}; new libraries are lib/NAME.so")


def not_for_wheel(what: str) -> str:
    """What is wrong with a wheel runtime, the default one, on a device: `what` says which it is."""
    return f"the wheel runtime (the default) is for x86-64 Linux with glibc only, but {what}"


def read_build(runtime: Runtime) -> tuple[LocalFile, ...]:
    """The local files of a runtime that a device runs or loads, the program first where there is one. What
    cannot be read has that as its damage.
    """
    replaced = {name for name, _ in runtime.overlay}
    program = "runtime.overlay.load_and_run"
    named = [
        (key, path)
        for key, path in files_of(runtime)
        if not (key == "runtime.program" and "load_and_run" in replaced)
        and not (key == "runtime.libraries" and f"lib/{path.name}" in replaced)
        and not key.endswith(".py")
    ]
    named.sort(key=lambda one: one[0] not in {"runtime.program", program})
    return tuple(LocalFile(key, path, _read(path)) for key, path in named)


def _read(path: Path) -> Binary:
    try:
        with path.open("rb") as stream:
            return read_binary(stream, path.stat().st_size)
    except OSError as error:
        return Binary(Form.OTHER, damage=f"it cannot be read: {error.strerror or error}")


def runtime_problems(
    runtime: Runtime, files: tuple[LocalFile, ...], machine: Machine | None, whose: str, *, runs_narrow: bool
) -> Iterator[Problem]:
    """What is wrong with the local files of a runtime, as `build_problems`: the wheel's program is not one of
    them, nor one that is on the device.
    """
    if runtime.kind is RuntimeKind.NATIVE and not runtime.on_device:
        yield from build_problems(files, machine, whose, runs_narrow=runs_narrow)
        return
    if runtime.kind is RuntimeKind.WHEEL:
        machine, whose, runs_narrow = machine_named(WHEEL_MACHINE), "the wheel is for x86-64", False
    for one in files:
        if runtime.kind is RuntimeKind.WHEEL and one.binary.damage is None and not _is_of_cpu(one.binary):
            text = f"{one.path} is no library that the wheel can load: it is {described(one.binary)}"
            yield Problem("program-damaged", one.key, text)
        else:
            yield from _library_problems(one, machine, whose, runs_narrow=runs_narrow)


def build_problems(
    build: tuple[LocalFile, ...], machine: Machine | None, whose: str, *, runs_narrow: bool
) -> Iterator[Problem]:
    """What is wrong with the files themselves, with one for the other, and with any for this architecture
    (None: not known), of which `whose` tells.
    """
    program, *libraries = build
    binary = program.binary
    if binary.form is Form.OTHER:
        why = binary.damage or f"it is {described(binary)}"
        yield Problem("not-a-program", program.key, f"{program.path} is no program: {why}")
        return
    if binary.damage is not None:
        yield Problem("program-damaged", program.key, f"{program.path} cannot be used: {binary.damage}")
    elif machine is not None and not is_for(binary, machine, runs_narrow=runs_narrow):
        yield Problem(
            "wrong-architecture", program.key, f"{program.path} is {described(binary)}, but {whose}"
        )
    for one in libraries:
        yield from _library_problems(one, machine, whose, runs_narrow=runs_narrow)
    yield from _strangers(program, libraries)


def _library_problems(
    library: LocalFile, machine: Machine | None, whose: str, *, runs_narrow: bool
) -> Iterator[Problem]:
    binary = library.binary
    if binary.damage is not None:
        yield Problem("program-damaged", library.key, f"{library.path} cannot be used: {binary.damage}")
    elif library.key == PRELOAD and not _is_of_cpu(binary):
        text = f"{library.path} is no library that a program can load: it is {described(binary)}"
        yield Problem("program-damaged", library.key, text)
    elif machine is not None and _is_of_cpu(binary) and not is_for(binary, machine, runs_narrow=runs_narrow):
        text = f"{library.path} is {described(binary)}, but {whose}"
        yield Problem("wrong-architecture", library.key, text)


def _strangers(program: LocalFile, libraries: list[LocalFile]) -> Iterator[Problem]:
    """Libraries that this program cannot load."""
    needed = {name for one in (program, *libraries) for name in one.binary.needed}
    for library in libraries:
        binary = library.binary
        if binary.damage is not None:
            continue
        if binary.form is not Form.ELF and library.path.name in needed:
            yield Problem(
                "program-damaged", library.key, f"{library.path} is no library, but one of it is needed"
            )
        elif program.binary.form is Form.ELF and _is_of_cpu(binary) and _cpu(binary) != _cpu(program.binary):
            text = f"{library.path} is {described(binary)}, but {program.path} is {described(program.binary)}"
            yield Problem("wrong-architecture", library.key, text)


def _cpu(binary: Binary) -> tuple[int, int]:
    return binary.bits, binary.number


def _is_of_cpu(binary: Binary) -> bool:
    """Whether it is code for a processor that runs programs: phones have libraries for their DSP, too."""
    return binary.form is Form.ELF and _cpu(binary) in _CPUS
