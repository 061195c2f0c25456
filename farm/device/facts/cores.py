"""Cores of a device: which may be used, their names, and which of them are of one kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from farm.device.arm_cores import CORES
from farm.device.facts.text import Files, core_ids, first, number, numbered, pairs, text_of
from farm.model.device import CoreCluster

CPU = "/sys/devices/system/cpu/cpu[]"
ONLINE = "/sys/devices/system/cpu/online"
HYBRID = {"efficiency": "/sys/devices/cpu_atom/cpus", "performance": "/sys/devices/cpu_core/cpus"}
"""The cores of each kind of a hybrid x86 processor, the slower kind first."""

ALIKE = 0.9
"""Cores of one kind differ by less: of an RK3588's four big ones two may do 2352 MHz and two 2400."""

_HEX = re.compile(r"0x[0-9a-fA-F]{1,4}")
_MIDR = re.compile(r"0x[0-9a-fA-F]{1,16}")


def usable_cores(files: Files) -> tuple[int, ...]:
    """The cores that are online, less those that the agent may not use (affinity, cpuset)."""
    online = core_ids(first(files.get(ONLINE, []))) or tuple(_identities(files))
    allowed = frozenset(
        core_ids(dict(pairs(files.get("/proc/self/status", []))).get("Cpus_allowed_list", ""))
    )
    return tuple(core for core in online if core in allowed) or online


def core_name(implementer: str, part: str) -> str | None:
    """The name of an ARM core by the numbers in /proc/cpuinfo, with its maker before it unless that is ARM.
    A part that is not known is a number; None for a maker that is not known.
    """
    if not (_HEX.fullmatch(implementer) and _HEX.fullmatch(part)):
        return None
    maker, cores = CORES.get(int(implementer, 16), (None, {}))
    core = cores.get(int(part, 16))
    if maker is None or core is None:
        return maker and f"{maker} {part}"
    return core if maker == "ARM" or core.startswith(maker) else f"{maker} {core}"


def cpu_model(files: Files) -> str | None:
    """The processor's own name; on ARM, where the kernel has at most that of an architecture or a board, the
    names of its cores.
    """
    lines = pairs(files.get("/proc/cpuinfo", []))
    implementers = [value for name, value in lines if name == "CPU implementer"]
    parts = [value for name, value in lines if name == "CPU part"]
    cores = dict.fromkeys(zip(implementers, parts, strict=False))
    names = {core: core_name(*core) for core in cores}
    if not any(names.values()):
        for name, value in lines:
            if name in ("model name", "Hardware", "cpu model", "uarch") and value:
                return text_of(value)
    return text_of(" + ".join(dict.fromkeys(names[core] or f"ARM {core[0]}/{core[1]}" for core in cores)))


def clusters_of(files: Files, cores: Sequence[int]) -> tuple[CoreCluster, ...]:
    """The usable cores by kind, the slowest first. Empty where nothing tells the kind of each.

    On ARM a kind is a micro-architecture and how fast it is (capacity and highest clock, as far as ALIKE); on
    x86, where each core may have a highest clock of its own, what the kernel calls one.
    """
    identities, capacities = _identities(files), numbered(files, f"{CPU}/cpu_capacity")
    frequencies = frequencies_khz(files)
    if any("flags" in line for line in files.get("/proc/cpuinfo", [])) and not any(identities.values()):
        return _clusters_of_x86(files, cores, frequencies)
    ones = sorted(
        (
            CoreCluster(
                (core,), _name(identities.get(core)), number(capacities.get(core, "")), frequencies.get(core)
            )
            for core in cores
        ),
        key=_speed,
    )
    if any((one.name, one.capacity, one.max_frequency_khz) == (None, None, None) for one in ones):
        return ()
    found: list[CoreCluster] = []
    for one in ones:
        same = next((index for index, other in enumerate(found) if _are_alike(other, one)), None)
        if same is None:
            found.append(one)
        else:
            found[same] = replace(one, cores=(*found[same].cores, *one.cores))
    return tuple(replace(one, cores=tuple(sorted(one.cores))) for one in found)


def _clusters_of_x86(
    files: Files, cores: Sequence[int], frequencies: Mapping[int, int]
) -> tuple[CoreCluster, ...]:
    kinds = {kind: frozenset(core_ids(first(files.get(path, [])))) for kind, path in HYBRID.items()}
    known = frozenset[int]().union(*kinds.values())
    found = []
    for name in (*kinds, None):
        of_kind = [core for core in cores if (core in kinds[name] if name else core not in known)]
        if of_kind:
            fastest = max((frequencies[core] for core in of_kind if core in frequencies), default=None)
            found.append(CoreCluster(tuple(of_kind), name, max_frequency_khz=fastest))
    return tuple(found)


def _name(identity: tuple[str, str] | None) -> str | None:
    return (core_name(*identity) or text_of("/".join(identity))) if identity else None


def _speed(cluster: CoreCluster) -> tuple[int, int, int]:
    return (cluster.capacity or 0, cluster.max_frequency_khz or 0, -cluster.cores[0])


def _are_alike(one: CoreCluster, other: CoreCluster) -> bool:
    pairs_of = ((one.capacity, other.capacity), (one.max_frequency_khz, other.max_frequency_khz))
    return one.name == other.name and all(
        (a is None) == (b is None) and min(a or 0, b or 0) >= ALIKE * max(a or 0, b or 0) for a, b in pairs_of
    )


def _identities(files: Files) -> dict[int, tuple[str, str] | None]:
    """Maker and part of each processor that /proc/cpuinfo or its register tells, as hexadecimal text."""
    found: dict[int, tuple[str, str] | None] = {}
    maker, core = "", None
    for name, value in pairs(files.get("/proc/cpuinfo", [])):
        if name == "processor" and (core := number(value)) is not None:
            found[core] = None
        elif name == "CPU implementer":
            maker = value
        elif name == "CPU part" and core is not None:
            found[core] = (maker, value)
    for core, text in numbered(files, f"{CPU}/regs/identification/midr_el1").items():
        if _MIDR.fullmatch(text):
            register = int(text, 16)
            found[core] = (f"{register >> 24 & 0xFF:#04x}", f"{register >> 4 & 0xFFF:#05x}")
    return found


def frequencies_khz(files: Files, name: str = "cpuinfo_max_freq") -> dict[int, int]:
    """A frequency of each core; 0 and what is no frequency is left out."""
    found = numbered(files, f"{CPU}/cpufreq/{name}").items()
    return {core: khz for core, text in found if (khz := plausible_khz(text)) is not None}


def plausible_khz(text: str) -> int | None:
    """From 1 MHz to 100 GHz."""
    khz = number(text)
    return khz if khz is not None and 1_000 <= khz <= 100_000_000 else None
