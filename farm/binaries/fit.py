"""Whether a program or library is for a device. Pure."""

from __future__ import annotations

from farm.binaries.machines import MACHINES, Machine, title_of
from farm.binaries.read import Binary, Form
from farm.visible import one_line

_SHOWN_CHARS = 120


def is_for(binary: Binary, machine: Machine, *, runs_narrow: bool) -> bool:
    """Whether this architecture runs the file. `runs_narrow`: its kernel runs programs of 32 bits, too.

    True for what is no ELF file: its bytes do not say what it is for.
    """
    if binary.form is not Form.ELF or (binary.bits, binary.number) == (machine.bits, machine.number):
        return True
    narrow = next((one for one in MACHINES if one.name == machine.narrow), None)
    return runs_narrow and narrow is not None and (binary.bits, binary.number) == (narrow.bits, narrow.number)


def described(binary: Binary) -> str:
    """What the file is, for a sentence: `a program for 64-bit x86`."""
    if binary.form is Form.SCRIPT:
        return f"a script (#!{shown(binary.interpreter or '')})"
    if binary.form is Form.OTHER:
        return "neither an ELF file nor a script that begins with #!"
    return f"for {title_of(binary.bits, binary.number)}"


def shown(text: str) -> str:
    """A name from a file, for a message."""
    return one_line(text, _SHOWN_CHARS)
