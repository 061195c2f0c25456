"""Whether a device can run a runtime, by its facts and the files of the runtime."""

from __future__ import annotations

from collections.abc import Iterator

from farm.binaries.machines import machine_named
from farm.errors import DeviceError, Fault, Stage
from farm.model.device import Device, Facts, Python, Runtime
from farm.plan.programs import HINTS, WHEEL_MACHINE, LocalFile, Problem, not_for_wheel, runtime_problems

OLDEST_PYTHON = (3, 6)


def device_python(device: Device, facts: Facts) -> Python:
    """The interpreter that drives the wheel's libraries. Raises DeviceError `python-missing`."""
    wanted = device.runtime.python
    for python in facts.pythons:
        if python.version >= OLDEST_PYTHON:  # the probe asked for the wanted one alone
            return python
    found = ", ".join(f"{one.path} {'.'.join(map(str, one.version))}" for one in facts.pythons) or "none"
    raise DeviceError(
        f"no CPython >= 3.6{f' named {wanted}' if wanted else ''} on the device (found: {found})",
        stage=Stage.DEPLOY,
        fault=Fault.DEVICE,
        cause="python-missing",
        hint="install python3 on the device, set runtime: {kind: wheel, python: PATH}, or use kind: native",
    )


def require_wheel_platform(device: Device, facts: Facts) -> None:
    """The PyPI wheel is Linux x86-64 with glibc only. Raises DeviceError `architecture`."""
    if not can_run_wheel(facts):
        what = " ".join(word for word in (facts.architecture, facts.system, facts.libc) if word)
        raise DeviceError(
            not_for_wheel(f"{device.name} is {what}"),
            stage=Stage.DEPLOY,
            fault=Fault.USER,
            cause="architecture",
            hint=HINTS["architecture"],
        )


def can_run_wheel(facts: Facts) -> bool:
    """Whether nothing that is known of a device speaks against it."""
    machine = machine_named(facts.architecture)
    right = facts.architecture is None or (machine is not None and machine.name == WHEEL_MACHINE)
    return right and (facts.libc or "glibc").startswith("glibc")


def fitting_problems(
    name: str, facts: Facts, runtime: Runtime, files: tuple[LocalFile, ...]
) -> Iterator[Problem]:
    """Why the device of this name cannot run or load these files of a runtime."""
    machine = machine_named(facts.architecture)
    narrow = facts.runs_32_bit is True
    whose = f"{name} is {facts.architecture}"
    if machine is not None and machine.narrow is not None and not narrow:
        whose = f"{whose}, and its kernel runs no programs of 32 bits"
    return runtime_problems(runtime, files, machine, whose, runs_narrow=narrow)
