"""What sensors show: temperatures and sources of power. What cannot be true is named and not shown."""

from __future__ import annotations

import re

from farm.device.facts.cores import CPU, plausible_khz
from farm.device.facts.text import FEW_LIMIT, Files, first, number, numbered, text_of
from farm.model.device import PowerSupply

ZONE = "/sys/class/thermal/thermal_zone[]"
_SUPPLY = re.compile(r"/sys/class/power_supply/([^/]{1,100})/(type|online|status|capacity)")
_COLDEST_MC, _HOTTEST_MC = -60_000, 200_000


def plausible_celsius(text: str) -> float | None:
    """From thousandths of a degree. None for what no device has, and for exactly 0: a sensor that is off."""
    if not re.fullmatch(r"-?[0-9]{1,6}", text):
        return None
    millidegrees = int(text)
    return millidegrees / 1000 if _COLDEST_MC < millidegrees < _HOTTEST_MC and millidegrees else None


def temperatures_c(files: Files) -> tuple[tuple[str, float], ...]:
    names, found = numbered(files, f"{ZONE}/type"), []
    for zone, text in list(numbered(files, f"{ZONE}/temp").items())[:FEW_LIMIT]:
        name, celsius = text_of(names.get(zone)), plausible_celsius(text)
        if name and celsius is not None:
            found.append((name, celsius))
    return tuple(found)


def unreadable(files: Files) -> tuple[str, ...]:
    """Sensors that are there and show nothing that can be true, by name."""
    shown = numbered(files, f"{ZONE}/temp")
    found = [
        f"temperature of {text_of(name) or f'zone {zone}'}"
        for zone, name in numbered(files, f"{ZONE}/type").items()
        if plausible_celsius(shown.get(zone, "")) is None
    ]
    for file, what in (("cpuinfo_max_freq", "highest frequency"), ("scaling_max_freq", "frequency limit")):
        texts = numbered(files, f"{CPU}/cpufreq/{file}").items()
        lying = ", ".join(str(core) for core, text in texts if plausible_khz(text) is None)
        found += [text_of(f"{what} of core {lying}") or ""] if lying else []
    found += [
        f"charge of {one.name}"
        for one in power_supplies(files)
        if one.capacity_percent is None and f"/sys/class/power_supply/{one.name}/capacity" in files
    ]
    return tuple(found[:FEW_LIMIT])


def power_supplies(files: Files) -> tuple[PowerSupply, ...]:
    told: dict[str, dict[str, str]] = {}
    for path, lines in files.items():
        if (match := _SUPPLY.fullmatch(path)) and len(told) < FEW_LIMIT:
            told.setdefault(match[1], {})[match[2]] = first(lines)
    return tuple(
        PowerSupply(
            text_of(name) or "?",
            kind=text_of(one.get("type")),
            is_online={"0": False, "1": True, "2": True}.get(one.get("online", "")),
            status=text_of(one.get("status")),
            capacity_percent=_percent(one.get("capacity", "")),
        )
        for name, one in sorted(told.items())
    )


def _percent(text: str) -> int | None:
    percent = number(text)
    return percent if percent is not None and percent <= 100 else None
