"""Facts of a device, from the agent's `probe`: sections `== name` of raw text. Pure.

Everything here comes from a device: numbers are checked, text is cut, what does not fit is left out.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from farm.device.facts import cores, machine, sensors
from farm.device.facts.nvidia import parse_gpus
from farm.device.facts.text import (
    FEW_LIMIT,
    LIST_LIMIT,
    TEXT_LIMIT,
    Files,
    decimal,
    files_of,
    first,
    number,
    numbered,
    pairs,
    text_of,
)
from farm.model.device import Facts, Python, Runtime, RuntimeKind

LINES_LIMIT = 50_000
SECTIONS_LIMIT = 100
CPUFREQ = f"{cores.CPU}/cpufreq"
CLOCK_SOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
FIRST_POLICY = "/sys/devices/system/cpu/cpu0/cpufreq"
# One after the other is asked, until one will do: see `farm.run.programs.platform.device_python`.
PYTHONS = ("python3", *(f"python3.{minor}" for minor in range(6, 14)))

_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
"""As str.splitlines has them, without those that are empty."""
_PROPERTY = re.compile(r"^\[([^]\n]*)\]: \[(.*)\]$", re.MULTILINE)
_BOOT_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_PYTHON = re.compile(r"(/.{1,400}) cpython ([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4}) (numpy|-)")


def pythons_to_ask(runtime: Runtime) -> tuple[str, ...]:
    """The interpreters to ask a device for: none where nothing is run with one."""
    if runtime.kind is not RuntimeKind.WHEEL:
        return ()
    return PYTHONS if runtime.python is None else (runtime.python,)


def sections(raw: str) -> dict[str, list[str]]:
    """The lines of each section by name; what stands before the first is left out."""
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for match in _LINE.finditer(raw):
        line = match[0]
        if line.startswith("== "):
            name = line[3:].strip()
            known = name in found or len(found) < SECTIONS_LIMIT
            lines = found.setdefault(name, []) if known else None
        elif lines is not None and line.strip() and len(lines) < LINES_LIMIT:
            lines.append(line.replace("\0", "").strip())
    return found


def parse_facts(raw: str) -> Facts:
    """The facts that the text holds; None or empty for what it does not."""
    part = sections(raw)
    system, hostname, kernel, architecture = (
        *first(part.get("uname", [])).split()[:4], None, None, None, None,
    )[:4]  # fmt: skip
    files = files_of(part.get("files", []))
    meminfo = dict(pairs(files.get("/proc/meminfo", [])))
    disk_bytes, disk_free_bytes = disk_of(part.get("df", []))
    properties = dict(_PROPERTY.findall("\n".join(part.get("getprop", []))))
    release = dict(line.partition("=")[::2] for line in files.get("/etc/os-release", []))
    android = properties.get("ro.build.version.release")
    loaders = tuple(filter(None, map(text_of, part.get("loaders", [])[:FEW_LIMIT])))
    known = Facts(
        hostname=text_of(hostname),
        system=text_of(system),
        kernel=text_of(kernel),
        architecture=text_of(architecture),
        boot_id=_boot_id(first(part.get("boot", []))),
        machine=_machine(first(part.get("machine", []))),
        os_name=text_of(f"Android {android}" if android else release.get("PRETTY_NAME", "").strip("\"'")),
        libc=_libc(part.get("libc", [])) or ("bionic" if android else _libc_of(loaders)),
        loaders=loaders,
        runs_32_bit={"yes": True, "no": False}.get(first(part.get("narrow", []))),
        memory_bytes=_kib(meminfo.get("MemTotal")),
        memory_available_bytes=_kib(meminfo.get("MemAvailable")),
        disk_bytes=disk_bytes,
        disk_free_bytes=disk_free_bytes,
        load_average_1m=decimal(first(files.get("/proc/loadavg", [])).partition(" ")[0]),
        gpus=parse_gpus(part.get("nvidia", [])),
        pythons=_pythons(part.get("pythons", [])),
        shell=text_of(first(part.get("shell", []))),
        tools=tuple(filter(None, map(text_of, part.get("tools", [])[:FEW_LIMIT]))),
    )
    return _with_machine(_with_cores(known, files, properties), files, part.get("tree", []), properties)


def _with_cores(known: Facts, files: Files, properties: dict[str, str]) -> Facts:
    core_ids = cores.usable_cores(files)
    governors = first(files.get(f"{FIRST_POLICY}/scaling_available_governors", [])).split()
    return replace(
        known,
        cpu_model=cores.cpu_model(files) or text_of(properties.get("ro.soc.model")),
        cpu_features=_cpu_features(files.get("/proc/cpuinfo", [])),
        core_ids=core_ids,
        clusters=cores.clusters_of(files, core_ids),
        governors=_governors(files),
        available_governors=tuple(filter(None, map(text_of, governors[:FEW_LIMIT]))),
        frequency_driver=text_of(first(files.get(f"{FIRST_POLICY}/scaling_driver", []))),
        max_frequency_khz=tuple(cores.frequencies_khz(files).items()),
        min_frequency_khz=tuple(cores.frequencies_khz(files, "cpuinfo_min_freq").items()),
        frequency_limits_khz=tuple(cores.frequencies_khz(files, "scaling_max_freq").items()),
    )


def _with_machine(known: Facts, files: Files, tree: list[str], properties: dict[str, str]) -> Facts:
    return replace(
        known,
        board=machine.board_of(files, tree, properties),
        soc=machine.soc_of(files, tree, properties),
        virtual=machine.virtual_of(files, known.cpu_features),
        cpuset=machine.cpuset_of(files),
        cpu_limit_cores=machine.cpu_limit_cores(files),
        memory_limit_bytes=machine.memory_limit_bytes(files, known.memory_bytes),
        turbo=machine.turbo_of(files),
        smt=machine.smt_of(files),
        clock_source=text_of(first(files.get(CLOCK_SOURCE, []))),
        temperatures_c=sensors.temperatures_c(files),
        power_supplies=sensors.power_supplies(files),
        unreadable=sensors.unreadable(files),
    )


def _kib(text: str | None) -> int | None:
    kib = number((text or "").partition(" ")[0])
    return None if kib is None else kib * 1024


def _boot_id(text: str) -> str | None:
    """As the kernel has it (random(4)); None where a sandbox hides it."""
    return text if _BOOT_ID.fullmatch(text) and text != "-" else None


def _machine(text: str) -> str | None:
    """A digest in the place of the machine id, which machine-id(5) wants kept private."""
    return hashlib.sha256(f"farm {text}".encode()).hexdigest()[:16] if text else None


def _governors(files: Files) -> tuple[tuple[int, str], ...]:
    found = numbered(files, f"{CPUFREQ}/scaling_governor").items()
    return tuple((core, governor) for core, text in found if (governor := text_of(text)))


def _libc(lines: list[str]) -> str | None:
    """`glibc 2.36` or `musl`."""
    text = " ".join(lines[:2])[:TEXT_LIMIT]
    if "musl" in text:
        return "musl"
    match = (
        re.match(r"ld\.so \(.{0,200}\) \w+ release version (\d+\.\d+)", text)
        or re.search(r"(?:glibc|GLIBC|GNU libc)\D{0,40}(\d+\.\d+)", text)
        or re.search(r"\)\s+(\d+\.\d+)$", first(lines))
    )
    return f"glibc {match[1]}" if match else None


def _libc_of(loaders: tuple[str, ...]) -> str | None:
    """By the names of dynamic loaders, where nothing else tells: `ld-2.31.so`, `ld-musl-aarch64.so.1`."""
    names = [path.rpartition("/")[2] for path in loaders]
    if any(name.startswith("ld-musl-") for name in names):
        return "musl"
    versions = (re.fullmatch(r"ld-([0-9]{1,2}\.[0-9]{1,3})\.so", name) for name in names)
    version = next((found[1] for found in versions if found), None)
    if version:
        return f"glibc {version}"
    return "glibc" if any(name.startswith("ld-linux") for name in names) else None


def _cpu_features(lines: list[str]) -> tuple[str, ...]:
    """Features that every core has: `flags` on x86, `Features` on ARM (there `asimddp` is dot product)."""
    per_core = [set(value.split()) for name, value in pairs(lines) if name in ("flags", "Features")]
    return tuple(sorted(set.intersection(*per_core)))[:LIST_LIMIT] if per_core else ()


def disk_of(lines: list[str]) -> tuple[int | None, int | None]:
    """Size and free bytes; POSIX `df -Pk`: the second and fourth word of the last line are KiB."""
    words = lines[-1].split() if len(lines) > 1 else []
    return (_kib(words[1]), _kib(words[3])) if len(words) >= 6 else (None, None)


def _pythons(lines: list[str]) -> tuple[Python, ...]:
    """Lines `<path> <implementation> <version> <numpy or ->`; only CPython counts, each path once."""
    found: dict[str, Python] = {}
    for line in lines[:FEW_LIMIT]:
        match = _PYTHON.fullmatch(line)
        if match and match[1].isprintable():
            version = (int(match[2]), int(match[3]), int(match[4]))
            found.setdefault(match[1], Python(match[1], version, match[5] == "numpy"))
    return tuple(found.values())
