"""Which cells a native program can run, by the flags that it has.

What a load_and_run has depends on how it was built: `--cuda`, `--tensorrt`, `--profile` and others are
unknown flags in builds without them. Its `--help` lists what it has; farm.run.program runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from farm.errors import DeviceError, Fault, RequestError, Stage
from farm.model.device import Runtime, RuntimeKind
from farm.model.matrix import Cell
from farm.options import option, unknown_to
from farm.plan.layout import native_digest, native_files
from farm.plan.matrix import Wanted
from farm.store.programs import Known, ProgramStore


def unknown_flags(cell: Cell | Wanted, flags: frozenset[str]) -> tuple[str, ...]:
    """The options that the cell would send and a program of these flags does not have."""
    sent = (*(one.options for one in cell.preparations), *(one.options for one in cell.rounds))
    return tuple(dict.fromkeys(name for options in sent for name in unknown_to(options, flags)))


def unknown_flag_error(names: Sequence[str]) -> DeviceError:
    """The error of a cell with these options."""
    return DeviceError(
        f"the program has no {_listed(names)}", stage=Stage.DEPLOY, fault=Fault.USER,
        cause="unknown-flag", hint=_alternatives(names),
    )  # fmt: skip


def refuse_unknown_flags(cells: Sequence[Wanted], store: ProgramStore) -> None:
    """Before a device is touched: refuse a variant that no chosen device's program can run.

    Only for local builds that are pushed and whose flags are known. Where one device can run a variant and
    another cannot, only the other's cell fails: it may be skipped there anyway. Raises RequestError.
    """

    @cache
    def known_of(runtime: Runtime) -> Known | None:
        if runtime.kind is not RuntimeKind.NATIVE or runtime.on_device:
            return None
        return store.find(native_digest(native_files(runtime)))

    for variant in dict.fromkeys(cell.variant.name for cell in cells):
        problems: list[str] = []
        for cell in cells:
            if cell.variant.name != variant:
                continue
            known = known_of(cell.device.runtime)
            names = unknown_flags(cell, known.flags) if known else ()
            if known is None or not names:
                break
            problems.append(
                f"variant {variant!r}: {cell.device.runtime.program} of {cell.device.name} has no "
                f"{_listed(names)} (by its --help on {known.asked_on})"
            )
        else:
            raise RequestError(problems[0], hint=_alternatives(names))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"--{name}" for name in names)


def _alternatives(names: Sequence[str]) -> str:
    builds = dict.fromkeys(build for name in names if (build := option(name).needs.build))
    needs = f" (it needs {', '.join(builds)})" if builds else ""
    return f"use a build that has it{needs}, use the wheel runtime, or remove the option"
