"""The heat of a simulated device: files in the place of /sys, which follow the program and the clock."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from farm.sim import places
from farm.sim.properties import Cluster, Heat, heat_from_json, heat_to_json

SLOW = "powersave"
"""The one governor that has another frequency than the highest."""

_CPU = "devices/system/cpu"


def lay_out(home: Path, heat: Heat) -> None:
    """All files of the device's /sys, at the temperature of idleness."""
    cores = sorted(core for cluster in heat.clusters for core in cluster.cores)
    files = {f"{_CPU}/online": ",".join(map(str, cores)), "class/thermal/thermal_zone0/type": heat.zone}
    if len(heat.clusters) == 2:  # as x86 has it; there the capacity does not count
        kinds = zip(("cpu_atom", "cpu_core"), heat.clusters, strict=True)
        files |= {f"devices/{name}/cpus": ",".join(map(str, one.cores)) for name, one in kinds}
    files["class/thermal/cooling_device0/type"] = "thermal-cpufreq-0"
    for cluster in heat.clusters:
        for core in cluster.cores:
            files[f"{_CPU}/cpu{core}/cpu_capacity"] = f"{cluster.capacity}"
            files |= {
                f"{_CPU}/cpu{core}/cpufreq/{name}": text for name, text in _policy(heat, cluster).items()
            }
    for name, text in files.items():
        _put(places.sys_folder(home) / name, text)
    for name, text in heat.files:
        _put(places.sys_folder(home) / name, text)
    places.heat_file(home).write_text(heat_to_json(heat), "ascii")
    warm(home)


def _policy(heat: Heat, cluster: Cluster) -> dict[str, str]:
    return {
        "cpuinfo_max_freq": f"{cluster.max_khz}",
        "cpuinfo_min_freq": f"{cluster.min_khz}",
        "scaling_max_freq": f"{cluster.max_khz}",
        "scaling_min_freq": f"{cluster.min_khz}",
        "scaling_cur_freq": f"{cluster.max_khz}",
        "scaling_available_governors": " ".join(heat.governors),
        "scaling_governor": heat.governor,
        "scaling_driver": "cpufreq-sim",
    }


def warm(home: Path, run_s: float = 0.0) -> float:
    """The program has run for so long since the last call; the factor by which it is slower now.

    1.0 on a device without heat of its own. Several processes may call it.
    """
    try:
        heat = heat_from_json(places.heat_file(home).read_text("ascii"))
    except FileNotFoundError:
        return 1.0
    with places.heat_file(home).with_suffix(".now").open("a+", encoding="ascii") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        before, now = stream.read().split(), time.monotonic()
        temperature_c = heat.idle_c
        if before:
            cooled_c = float(before[0]) - heat.cooling_c * (now - float(before[1]))
            temperature_c = max(heat.idle_c, cooled_c) + heat.warming_c * run_s
        stream.truncate(0)
        stream.write(f"{temperature_c} {now}")
        stream.flush()
        return _tell(home, heat, temperature_c)


def _tell(home: Path, heat: Heat, temperature_c: float) -> float:
    """Write what the sensors show."""
    fixed, root = dict(heat.files), places.sys_folder(home)
    part = heat.throttled if temperature_c > heat.trip_c else 1.0
    shown = {
        "class/thermal/thermal_zone0/temp": f"{temperature_c * 1000:.0f}",
        "class/thermal/cooling_device0/cur_state": f"{int(part < 1.0)}",
    }
    factor = 0.0
    for cluster in heat.clusters:
        for core in cluster.cores:
            policy = f"{_CPU}/cpu{core}/cpufreq"
            wanted = (
                "scaling_min_freq"
                if _read(root / policy / "scaling_governor") == SLOW
                else "scaling_max_freq"
            )
            khz = int(part * int(_read(root / policy / wanted) or cluster.max_khz))
            shown[f"{policy}/scaling_cur_freq"] = f"{khz}"
            factor = max(factor, khz / cluster.max_khz)
    for name, text in shown.items():
        if name not in fixed:
            _put(root / name, text)
    return 1 / factor if factor else 1.0


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError:
        return ""


def _put(path: Path, text: str) -> None:
    """In one step: who reads a sensor never sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_bytes(os.fsencode(f"{text}\n"))
    new.replace(path)
