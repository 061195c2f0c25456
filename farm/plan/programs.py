"""The programs of a request: what files and inventory alone show to be wrong, before a device is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from farm.binaries.fit import described, is_for
from farm.binaries.machines import MACHINES, Machine, machine_named
from farm.binaries.read import Binary, Form, read_binary
from farm.inventory.mistakes import Mistake, refuse
from farm.model.device import Device, Runtime, RuntimeKind

WHEEL_MACHINE = "x86_64"
NATIVE_EXAMPLE = "runtime: {kind: native, program: builds/arm64/load_and_run}"
HINTS = {
    "architecture": f"build load_and_run for it, and say so in the inventory: {NATIVE_EXAMPLE}",
    "wrong-architecture": "use a load_and_run and libraries that are built for the device, or correct arch:",
    "program-damaged": "build or copy it again, and compare its size with the original",
    "not-a-program": "correct runtime.program in the inventory; a script must begin with #!",
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


def refuse_wrong_programs(devices: Iterable[Device]) -> None:
    """Raise RequestError, with file and line, for programs and libraries that no device could run or load,
    or not one of the architecture that the inventory says.
    """
    read = cache(read_build)
    mistakes, causes = [], []
    for device in devices:
        machine = machine_named(device.architecture)
        for problem in _planned_problems(device, machine, read):
            text = f"device {device.name}, {problem.key}: {problem.text}"
            mistakes.append(Mistake(device.source or device.name, text))
            causes.append(problem.cause)
    refuse(mistakes, hint="; ".join(HINTS[cause] for cause in dict.fromkeys(causes)))


def _planned_problems(device: Device, machine: Machine | None, read: Reader) -> Iterator[Problem]:
    runtime = device.runtime
    if runtime.kind is RuntimeKind.WHEEL:
        if machine is not None and machine.name != WHEEL_MACHINE:
            yield Problem(
                "architecture", "runtime", not_for_wheel(f"the inventory says arch: {device.architecture}")
            )
    elif not runtime.on_device:
        whose = f"the inventory says arch: {device.architecture}"
        yield from build_problems(read(runtime), machine, whose, runs_narrow=True)


def not_for_wheel(what: str) -> str:
    """What is wrong with a wheel runtime, the default one, on a device: `what` says which it is."""
    return f"the wheel runtime (the default) is for x86-64 Linux with glibc only, but {what}"


def read_build(runtime: Runtime) -> tuple[LocalFile, ...]:
    """Program and libraries of a local build. What cannot be read has that as its damage."""
    assert runtime.program is not None, "the inventory checks that a native runtime names its program"
    named = [
        ("runtime.program", runtime.program),
        *(("runtime.libraries", path) for path in runtime.libraries),
    ]
    return tuple(LocalFile(key, Path(path), _read(Path(path))) for key, path in named)


def _read(path: Path) -> Binary:
    try:
        with path.open("rb") as stream:
            return read_binary(stream, path.stat().st_size)
    except OSError as error:
        return Binary(Form.OTHER, damage=f"it cannot be read: {error.strerror or error}")


def build_problems(
    build: tuple[LocalFile, ...], machine: Machine | None, whose: str, *, runs_narrow: bool
) -> Iterator[Problem]:
    """What is wrong with the files themselves, with one for the other, and with any for this architecture
    (None: not known), of which `whose` tells.
    """
    program, *libraries = build
    if program.binary.form is Form.OTHER:
        why = program.binary.damage or f"it is {described(program.binary)}"
        yield Problem("not-a-program", program.key, f"{program.path} is no program: {why}")
        return
    for one in build:
        if one.binary.damage is not None:
            yield Problem("program-damaged", one.key, f"{one.path} cannot be used: {one.binary.damage}")
        elif machine is None or (one is not program and not _is_of_cpu(one.binary)):
            continue
        elif not is_for(one.binary, machine, runs_narrow=runs_narrow):
            text = f"{one.path} is {described(one.binary)}, but {whose}"
            yield Problem("wrong-architecture", one.key, text)
    yield from _strangers(program, libraries)


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
