"""Facts of a device, from the agent's `probe`: sections `== name` of raw text. Pure.

Everything here comes from a device: numbers are checked, text is cut, what does not fit is left out.
"""

from __future__ import annotations

import re

from farm.device.arm_cores import CORES
from farm.model.device import Facts, Gpu, Python, Runtime, RuntimeKind
from farm.visible import one_line

TEXT_LIMIT = 200
LINES_LIMIT = 50_000
LIST_LIMIT = 4096
FEW_LIMIT = 256

_HEX = re.compile(r"0x[0-9a-fA-F]{1,4}")
_CAPABILITY = re.compile(r"[0-9]{1,3}\.[0-9]{1,2}")
ONLINE = "/sys/devices/system/cpu/online"
CPU = "/sys/devices/system/cpu/cpu[]/cpufreq"
ZONE = "/sys/class/thermal/thermal_zone[]"
# One after the other is asked, until one will do: see `farm.run.program.device_python`.
PYTHONS = ("python3", *(f"python3.{minor}" for minor in range(6, 14)))

_PROPERTY = re.compile(r"^\[([^]\n]*)\]: \[(.*)\]$", re.MULTILINE)
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
    for line in raw.splitlines():
        if line.startswith("== "):
            lines = found.setdefault(line[3:].strip(), [])
        elif lines is not None and line.strip() and len(lines) < LINES_LIMIT:
            lines.append(line.replace("\0", "").strip())
    return found


def parse_facts(raw: str) -> Facts:
    """The facts that the text holds; None or empty for what it does not."""
    part = sections(raw)
    uname = part.get("uname", [])
    system, hostname, kernel, architecture = (*_line(uname).split()[:4], None, None, None, None)[:4]
    files = _files(part.get("files", []))
    cpuinfo = files.get("/proc/cpuinfo", [])
    meminfo = dict(_pairs(files.get("/proc/meminfo", [])))
    disk_bytes, disk_free_bytes = disk_of(part.get("df", []))
    properties = dict(_PROPERTY.findall("\n".join(part.get("getprop", []))))
    release = dict(line.partition("=")[::2] for line in files.get("/etc/os-release", []))
    android = properties.get("ro.build.version.release")
    loaders = tuple(filter(None, map(_text, part.get("loaders", [])[:FEW_LIMIT])))
    return Facts(
        hostname=_text(hostname),
        system=_text(system),
        kernel=_text(kernel),
        architecture=_text(architecture),
        os_name=_text(f"Android {android}" if android else release.get("PRETTY_NAME", "").strip("\"'")),
        libc=_libc(part.get("libc", [])) or ("bionic" if android else _libc_of(loaders)),
        loaders=loaders,
        runs_32_bit={"yes": True, "no": False}.get(_line(part.get("narrow", []))),
        cpu_model=_cpu_model(cpuinfo) or _text(properties.get("ro.soc.model")),
        cpu_features=_cpu_features(cpuinfo),
        core_ids=_usable_cores(files, cpuinfo),
        governors=_governors(files),
        max_frequency_khz=_frequencies(files),
        memory_bytes=_kib(meminfo.get("MemTotal")),
        memory_available_bytes=_kib(meminfo.get("MemAvailable")),
        disk_bytes=disk_bytes,
        disk_free_bytes=disk_free_bytes,
        load_average_1m=_decimal(_line(files.get("/proc/loadavg", [])).partition(" ")[0]),
        temperatures_c=_temperatures(files),
        gpus=_gpus(part.get("nvidia", [])),
        pythons=_pythons(part.get("pythons", [])),
        shell=_text(_line(part.get("shell", []))),
        tools=tuple(filter(None, map(_text, part.get("tools", [])[:FEW_LIMIT]))),
    )


def _usable_cores(files: dict[str, list[str]], cpuinfo: list[str]) -> tuple[int, ...]:
    """The cores that are online, less those that the agent may not use (affinity, cpuset)."""
    online = core_ids(_line(files.get(ONLINE, []))) or _processors(cpuinfo)
    allowed = core_ids(dict(_pairs(files.get("/proc/self/status", []))).get("Cpus_allowed_list", ""))
    return tuple(core for core in online if core in allowed) or online


def core_ids(text: str) -> tuple[int, ...]:
    """Core numbers from the kernel's list format, `0-3,6` (cpuset(7)); empty for anything else."""
    found: list[int] = []
    for piece in filter(None, text[:LIST_LIMIT].split(",")):
        match = re.fullmatch(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", piece)
        if match is None or len(found) > LIST_LIMIT:
            return ()
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(found)


def _text(text: str | None) -> str | None:
    return one_line(text, TEXT_LIMIT) or None if text else None


def _line(lines: list[str]) -> str:
    return lines[0] if lines else ""


def _files(lines: list[str]) -> dict[str, list[str]]:
    """The lines of each file, from lines `<path>:<text>`; none of the paths has a colon."""
    found: dict[str, list[str]] = {}
    for line in lines:
        path, _, text = line.partition(":")
        found.setdefault(path, []).append(text.strip())
    return found


def _numbered(files: dict[str, list[str]], pattern: str) -> dict[int, str]:
    """The first line of each file whose path is `pattern` with a number for the brackets, by the number."""
    path = re.compile(re.escape(pattern).replace(r"\[\]", "([0-9]{1,4})"))
    found = ((match, lines[0]) for name, lines in files.items() if (match := path.fullmatch(name)))
    return {int(match[1]): line for match, line in sorted(found, key=lambda one: int(one[0][1]))}


def _pairs(lines: list[str]) -> list[tuple[str, str]]:
    return [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def _number(text: str) -> int | None:
    """A plain number; `int` itself would take other digits, signs and more of them than it can print."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _decimal(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else None


def _kib(text: str | None) -> int | None:
    number = _number((text or "").partition(" ")[0])
    return None if number is None else number * 1024


def _governors(files: dict[str, list[str]]) -> tuple[tuple[int, str], ...]:
    found = _numbered(files, f"{CPU}/scaling_governor").items()
    return tuple((core, governor) for core, text in found if (governor := _text(text)))


def _frequencies(files: dict[str, list[str]]) -> tuple[tuple[int, int], ...]:
    found = _numbered(files, f"{CPU}/cpuinfo_max_freq").items()
    return tuple((core, khz) for core, text in found if (khz := _number(text)))


def _libc(lines: list[str]) -> str | None:
    """`glibc 2.36` or `musl`."""
    text = " ".join(lines[:2])[:TEXT_LIMIT]
    if "musl" in text:
        return "musl"
    match = re.search(r"(?:glibc|GLIBC|GNU libc)\D{0,20}(\d+\.\d+)", text) or re.search(
        r"\)\s+(\d+\.\d+)$", _line(lines)
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


def _cpu_model(lines: list[str]) -> str | None:
    """The processor's own name; on ARM, where the kernel has at most that of an architecture or a board, the
    names of its cores.
    """
    pairs = _pairs(lines)
    implementers = [value for name, value in pairs if name == "CPU implementer"]
    parts = [value for name, value in pairs if name == "CPU part"]
    cores = dict.fromkeys(zip(implementers, parts, strict=False))
    names = {core: core_name(*core) for core in cores}
    if not any(names.values()):
        for name, value in pairs:
            if name in ("model name", "Hardware", "cpu model", "uarch") and value:
                return _text(value)
    return _text(" + ".join(dict.fromkeys(names[core] or f"ARM {core[0]}/{core[1]}" for core in cores)))


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


def _cpu_features(lines: list[str]) -> tuple[str, ...]:
    """Features that every core has: `flags` on x86, `Features` on ARM (there `asimddp` is dot product)."""
    per_core = [set(value.split()) for name, value in _pairs(lines) if name in ("flags", "Features")]
    return tuple(sorted(set.intersection(*per_core)))[:LIST_LIMIT] if per_core else ()


def _processors(lines: list[str]) -> tuple[int, ...]:
    numbers = (_number(value) for name, value in _pairs(lines) if name == "processor")
    return tuple(number for number in numbers if number is not None)


def disk_of(lines: list[str]) -> tuple[int | None, int | None]:
    """Size and free bytes; POSIX `df -Pk`: the second and fourth word of the last line are KiB."""
    words = lines[-1].split() if len(lines) > 1 else []
    return (_kib(words[1]), _kib(words[3])) if len(words) >= 6 else (None, None)


def _temperatures(files: dict[str, list[str]]) -> tuple[tuple[str, float], ...]:
    """Zones that show nothing plausible are left out."""
    found = []
    names = _numbered(files, f"{ZONE}/type")
    for number, value in list(_numbered(files, f"{ZONE}/temp").items())[:FEW_LIMIT]:
        zone = _text(names.get(number))
        if zone and re.fullmatch(r"-?[0-9]{1,6}", value) and -60_000 < int(value) < 200_000:
            found.append((zone, int(value) / 1000))
    return tuple(found)


def _gpus(lines: list[str]) -> tuple[Gpu, ...]:
    """`nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total --format=csv,noheader`."""
    found = []
    for line in lines[:FEW_LIMIT]:
        words = [_text(word) for word in line.split(",")]
        match words:
            case [str(name), driver, str(capability), str(memory)] if _CAPABILITY.fullmatch(capability):
                mib = _number(memory.partition(" ")[0])
                found.append(Gpu(name, driver, capability, mib and mib << 20))
    return tuple(found)


def _pythons(lines: list[str]) -> tuple[Python, ...]:
    """Lines `<path> <implementation> <version> <numpy or ->`; only CPython counts, each path once."""
    found: dict[str, Python] = {}
    for line in lines[:FEW_LIMIT]:
        match = _PYTHON.fullmatch(line)
        if match and match[1].isprintable():
            version = (int(match[2]), int(match[3]), int(match[4]))
            found.setdefault(match[1], Python(match[1], version, match[5] == "numpy"))
    return tuple(found.values())
