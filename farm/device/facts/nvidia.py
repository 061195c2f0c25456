"""NVIDIA's GPUs, from `nvidia-smi --query-gpu=... --format=csv`: a line of names, then a line for each GPU.

Values have their units; what a GPU does not tell is `[N/A]`, `[Not Supported]` or an error in brackets.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence

from farm.device.facts.text import FEW_LIMIT, decimal, number, text_of
from farm.model.device import Gpu

BASIC = ("name", "driver_version", "compute_cap", "memory.total")
"""The columns of a text without a line of names."""

REASONS = {
    0x1: "idle",
    0x2: "applications-clocks",
    0x4: "power-cap",
    0x8: "hardware-slowdown",
    0x10: "sync-boost",
    0x20: "software-thermal",
    0x40: "hardware-thermal",
    0x80: "power-brake",
    0x100: "display-clocks",
}
"""Bits of clocks_event_reasons.active (before driver 535: clocks_throttle_reasons.active), as in nvml.h."""

_CAPABILITY = re.compile(r"[0-9]{1,3}\.[0-9]{1,2}")
_UNIT = re.compile(r" \[[^\]]*\]$")
_MASK = re.compile(r"0x[0-9a-fA-F]{1,16}")


def parse_gpus(lines: Sequence[str]) -> tuple[Gpu, ...]:
    """The GPUs; lines that are none (errors, notes) are left out."""
    columns: tuple[str, ...] = BASIC
    found: list[Gpu] = []
    for words in _rows(lines[:FEW_LIMIT]):
        if words[0] == "name":
            columns = tuple(_UNIT.sub("", word) for word in words)
        elif len(words) == len(columns) and (gpu := _gpu(dict(zip(columns, words, strict=True)))):
            found.append(gpu)
    return tuple(found)


def _rows(lines: Sequence[str]) -> Iterator[list[str]]:
    for line in lines:
        try:
            words = next(csv.reader([line], skipinitialspace=True), [])
        except csv.Error:
            continue
        if words:
            yield [word.strip() for word in words]


def _gpu(told: dict[str, str]) -> Gpu | None:
    """None for a line that tells neither memory nor capability: an error, or something else."""
    name, memory_bytes = text_of(told.get("name")), _mib(told.get("memory.total", ""))
    text = told.get("compute_cap", "")
    capability = text if _CAPABILITY.fullmatch(text) else None
    if name is None or (memory_bytes is None and capability is None):
        return None
    return Gpu(
        name,
        driver=text_of(told.get("driver_version")),
        compute_capability=capability,
        memory_bytes=memory_bytes,
        memory_used_bytes=_mib(told.get("memory.used", "")),
        clock_mhz=_amount(told, "clocks.current.sm", "clocks.sm", unit="MHz"),
        max_clock_mhz=_amount(told, "clocks.max.sm", unit="MHz"),
        memory_clock_mhz=_amount(told, "clocks.current.memory", "clocks.mem", unit="MHz"),
        performance_state=_state(told.get("pstate", "")),
        is_persistent={"Enabled": True, "Disabled": False}.get(told.get("persistence_mode", "")),
        temperature_c=_temperature(told.get("temperature.gpu", "")),
        power_w=_watts(told.get("power.draw", "")),
        power_limit_w=_watts(told.get("power.limit", "")),
        throttle_reasons=throttle_reasons(
            told.get("clocks_event_reasons.active") or told.get("clocks_throttle_reasons.active") or ""
        ),
    )


def throttle_reasons(mask: str) -> tuple[str, ...] | None:
    """The words for the bits of a mask such as `0x0000000000000004`; None for what is no mask."""
    if not _MASK.fullmatch(mask):
        return None
    bits = int(mask, 16)
    unknown = bits & ~sum(REASONS)
    words = [word for bit, word in REASONS.items() if bits & bit]
    return (*words, f"{unknown:#x}") if unknown else tuple(words)


def _amount(told: dict[str, str], *names: str, unit: str) -> int | None:
    return next((found for name in names if (found := _of_unit(told.get(name, ""), unit)) is not None), None)


def _of_unit(text: str, unit: str) -> int | None:
    value, _, found = text.partition(" ")
    return number(value) if found in (unit, "") else None


def _mib(text: str) -> int | None:
    mib = _of_unit(text, "MiB")
    return None if mib is None else mib << 20


def _watts(text: str) -> float | None:
    value, _, unit = text.partition(" ")
    return decimal(value) if unit in ("W", "") else None


def _state(text: str) -> str | None:
    return text if re.fullmatch(r"P[0-9]{1,2}", text) else None


def _temperature(text: str) -> int | None:
    celsius = number(text)
    return celsius if celsius is not None and 0 < celsius < 200 else None
