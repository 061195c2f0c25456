"""Architectures: their names, and what an ELF header says of them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """One architecture: its name as `uname -m` has it, a pattern for its other names, its word size, and the
    number that ELF headers have for it. `narrow` is the architecture of 32 bits whose programs some kernels
    of this one run, too.
    """

    name: str
    pattern: str
    bits: int
    number: int
    title: str
    narrow: str | None = None


MACHINES = (
    Machine("x86_64", r"x86_64|amd64|x86-64|x64", 64, 62, "x86-64", "i686"),
    Machine("aarch64", r"aarch64|arm64|arm64-v8a|armv8l?", 64, 183, "64-bit ARM (aarch64)", "armv7l"),
    Machine("armv7l", r"arm|armhf|armel|armeabi(-v7a)?|armv[4-7]\w{0,8}", 32, 40, "32-bit ARM"),
    Machine("i686", r"i[3-6]86|x86", 32, 3, "32-bit x86"),
    Machine("riscv64", r"riscv64", 64, 243, "64-bit RISC-V"),
    Machine("loongarch64", r"loongarch64|loong64", 64, 258, "64-bit LoongArch"),
    Machine("ppc64le", r"ppc64le|ppc64", 64, 21, "64-bit POWER"),
    Machine("s390x", r"s390x", 64, 22, "64-bit S/390"),
    Machine("mips64", r"mips64(el)?", 64, 8, "64-bit MIPS"),
    Machine("mips", r"mips(el)?", 32, 8, "32-bit MIPS"),
)
"""The numbers are those of elf.h (`EM_...`)."""


def machine_named(name: str | None) -> Machine | None:
    """The architecture of a name (`uname -m`, Debian's, Android's); None where it is not known."""
    word = (name or "").strip().casefold()
    return next((one for one in MACHINES if re.fullmatch(one.pattern, word)), None)


def title_of(bits: int, number: int) -> str:
    """What programs with this header are for, in words."""
    found = next((one for one in MACHINES if (one.bits, one.number) == (bits, number)), None)
    return found.title if found else f"{bits}-bit, machine number {number}"
