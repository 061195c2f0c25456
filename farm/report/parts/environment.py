"""The environment of every device, facts side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

from farm.cores import core_list
from farm.model.device import Facts
from farm.model.run import MOST_OUTAGES, DeviceRecord
from farm.report.numerals import MISSING, by_core, in_bytes, in_ghz, in_memory
from farm.report.views.environment import (
    Environment,
    EnvironmentGroup,
    EnvironmentRow,
    EnvironmentValue,
    SharedFact,
)

Reader: TypeAlias = Callable[[DeviceRecord, Facts], str | None]
Row: TypeAlias = tuple[str, bool, Reader]
"""Label, whether differences are marked, and where the text comes from.

Not marked: what naturally differs between devices or from one moment to the next.
"""

GROUPS: tuple[tuple[str, tuple[Row, ...]], ...] = (
    (
        "Device",
        (
            ("status", True, lambda d, _: d.status),
            ("error", False, lambda d, _: d.error),
            ("next command", False, lambda d, _: d.hint),
            ("restarts", False, lambda d, _: restarts_of(d)),
            ("connection lost", False, lambda d, _: outages_of(d)),
            ("address", False, lambda d, _: d.address),
            ("host name", False, lambda _, f: f.hostname),
        ),
    ),
    (
        "Software",
        (
            ("runtime", True, lambda d, _: d.runtime),
            ("runtime sha256", True, lambda d, _: _short(d.runtime_digest)),
            ("engine", True, lambda d, _: d.engine),
            ("system", True, lambda _, f: f.os_name or f.system),
            ("kernel", True, lambda _, f: f.kernel),
            ("C library", True, lambda _, f: f.libc),
            ("Python", True, lambda _, f: _pythons(f)),
            ("shell", False, lambda _, f: f.shell),
            ("agent sha256", True, lambda d, _: _short(d.agent_sha256)),
        ),
    ),
    (
        "Hardware",
        (
            ("architecture", True, lambda _, f: f.architecture),
            ("board", True, lambda _, f: f.board),
            ("chip", True, lambda _, f: f.soc),
            ("virtual machine", True, lambda _, f: f.virtual),
            ("CPU", True, lambda _, f: f.cpu_model),
            ("CPU features", True, lambda _, f: " ".join(f.cpu_features)),
            ("cores", True, lambda _, f: _cores(f.core_ids)),
            ("kinds of cores", True, lambda _, f: clusters_of(f)),
            ("threads share cores", True, lambda _, f: _word(f.smt, "yes", "no")),
            ("max. frequency", True, lambda _, f: by_core(f.max_frequency_khz, in_ghz)),
            ("memory", True, lambda _, f: in_memory(f.memory_bytes)),
            ("limits of the control group", True, lambda _, f: _limits(f)),
            ("clock source", True, lambda _, f: f.clock_source),
            ("GPU", True, lambda _, f: gpus_of(f)),
        ),
    ),
    (
        "At the start of the run",
        (
            ("governor", True, lambda _, f: by_core(f.governors, str)),
            ("frequency limit", True, lambda _, f: _frequency_limits(f)),
            ("frequency driver", True, lambda _, f: f.frequency_driver),
            ("turbo", True, lambda _, f: _word(f.turbo, "on", "off")),
            ("pinned for the rounds", True, lambda d, _: "; ".join(d.pinned)),
            ("not pinned", False, lambda d, _: "; ".join(d.not_pinned)),
            ("not restored", False, lambda d, _: "; ".join(d.not_restored)),
            ("power", True, lambda _, f: power_of(f)),
            ("load, 1 minute", False, lambda _, f: _decimal(f.load_average_1m, "")),
            ("GPU state", False, lambda _, f: _gpu_states(f)),
            ("memory free", False, lambda _, f: in_memory(f.memory_available_bytes)),
            ("disk free", False, lambda _, f: in_bytes(f.disk_free_bytes)),
            ("temperatures", False, lambda _, f: _temperatures(f)),
            ("unreadable", False, lambda _, f: ", ".join(f.unreadable)),
        ),
    ),
    (
        "Transfer",
        (
            ("pushed", False, lambda d, _: f"{in_bytes(d.pushed_bytes)} in {d.pushed_files} files"),
            ("reused", False, lambda d, _: f"{d.reused_files} files"),
            ("removed to make room", False, lambda d, _: _removed(d)),
        ),
    ),
)


COMPARED = frozenset(label for _, rows in GROUPS for label, is_compared, _ in rows if is_compared)
"""Facts of which a difference between devices is marked."""

MOST_COLUMNS = 50
"""Devices that stand side by side; of more, each fact has its values with the number of devices."""

MOST_VALUES = 8
MOST_NAMED = 4
MOST_TOLD = 5
"""Outages of a device, the first ones."""


def compose_environment(devices: Sequence[DeviceRecord]) -> Environment:
    """One column per device; rows without a value on any device are left out."""
    groups = (
        EnvironmentGroup(title, tuple(row for entry in rows if (row := _row(entry, devices))))
        for title, rows in GROUPS
    )
    return Environment(tuple(d.name for d in devices), tuple(group for group in groups if group.rows))


IN_SHORT = (
    "system", "kernel", "board", "chip", "virtual machine", "CPU", "cores", "memory", "GPU",
    "governor", "frequency limit", "turbo", "pinned for the rounds", "power",
)  # fmt: skip
"""Facts of a device that decide its times, for an appendix."""


def in_short(device: DeviceRecord) -> tuple[tuple[str, str], ...]:
    """The facts of IN_SHORT that are known of a device, each with its label."""
    readers = {label: read for _, rows in GROUPS for label, _, read in rows}
    found = ((label, readers[label](device, device.facts) if device.facts else None) for label in IN_SHORT)
    return tuple((label, text) for label, text in found if text)


def by_value(side_by_side: Environment) -> Environment:
    """The same for many devices: which values each fact has, on how many of them."""
    names = side_by_side.devices
    facts = tuple(
        _shared(row, names) for group in side_by_side.groups for row in group.rows if row.label in COMPARED
    )
    return Environment(names, (), facts)


def _shared(row: EnvironmentRow, names: Sequence[str]) -> SharedFact:
    having: dict[str, list[str]] = {}
    for name, text in zip(names, row.texts, strict=True):
        having.setdefault(text, []).append(name)
    order = sorted(having.items(), key=lambda item: -len(item[1]))
    values = (
        EnvironmentValue(text, len(who), ", ".join(who[:MOST_NAMED]), max(len(who) - MOST_NAMED, 0))
        if len(who) < len(names)
        else EnvironmentValue(text, len(who), "all", 0)
        for text, who in order[:MOST_VALUES]
    )
    return SharedFact(row.label, tuple(values), max(len(order) - MOST_VALUES, 0))


def _row(entry: Row, devices: Sequence[DeviceRecord]) -> EnvironmentRow | None:
    label, is_compared, read = entry
    texts = tuple(read(device, device.facts or Facts()) or MISSING for device in devices)
    known = Counter(text for text in texts if text != MISSING)
    if not known:
        return None
    usual = {known.most_common(1)[0][0], MISSING}  # an unknown fact is not a difference
    return EnvironmentRow(label, texts, tuple(is_compared and text not in usual for text in texts))


def _removed(device: DeviceRecord) -> str | None:
    return (
        f"{in_bytes(device.removed_bytes)} in {device.removed_files} files" if device.removed_files else None
    )


def restarts_of(device: DeviceRecord) -> str | None:
    """How many in the run, what was done again, and when: `2: timed-1 of m/fp32 at 13:02:59 UTC, ...`."""
    told = []
    for one in device.restarts:
        whose = f" of {one.cell.partition('/')[2]}" if one.cell else ""
        told.append(f"{one.during}{whose} at {one.at[11:19]} UTC")
    return f"{len(told)}: {', '.join(told)}" if told else None


def outages_of(device: DeviceRecord) -> str | None:
    """How often, for how long in all, and when (of many the first ones):
    `2 times, 12.3 s in all: timed-1 of m/fp32 at 13:02:59 UTC for 1.2 s, ...`.
    """
    if not device.outages:
        return None
    told = []
    for one in device.outages[:MOST_TOLD]:
        whose = f" of {one.cell.partition('/')[2]}" if one.cell else ""
        end = "" if one.is_over else ", and was not back"
        told.append(f"{one.during}{whose} at {one.at[11:19]} UTC for {one.lasted_s:.1f} s{end}")
    times = len(device.outages)
    often = f"{'at least ' if times >= MOST_OUTAGES else ''}{times} {'time' if times == 1 else 'times'}"
    more = f" and {times - MOST_TOLD} more" if times > MOST_TOLD else ""
    return f"{often}, {sum(one.lasted_s for one in device.outages):.1f} s in all: {', '.join(told)}{more}"


def _short(digest: str | None) -> str | None:
    return digest[:12] if digest else None


def _decimal(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.1f}{unit}"


def _cores(ids: Sequence[int]) -> str | None:
    return f"{len(ids)} ({core_list(ids)})" if ids else None


def _pythons(facts: Facts) -> str | None:
    return ", ".join(
        f"{'.'.join(map(str, p.version))}{' with NumPy' if p.has_numpy else ''} ({p.path})"
        for p in facts.pythons
    )


def gpus_of(facts: Facts) -> str | None:
    def text(name: str, *more: str | None) -> str:
        return ", ".join([name, *(part for part in more if part)])

    return "; ".join(
        text(
            gpu.name,
            f"driver {gpu.driver}" if gpu.driver else None,
            f"compute {gpu.compute_capability}" if gpu.compute_capability else None,
            in_memory(gpu.memory_bytes) if gpu.memory_bytes else None,
        )
        for gpu in facts.gpus
    )


def _temperatures(facts: Facts) -> str | None:
    return ", ".join(f"{zone} {_decimal(value, ' °C')}" for zone, value in facts.temperatures_c)


def _word(told: bool | None, yes: str, no: str) -> str | None:
    return None if told is None else yes if told else no


def machine_of(facts: Facts) -> str:
    """Board, chip and what says that it is a virtual machine, in one line."""
    virtual = f"virtual ({facts.virtual})" if facts.virtual else None
    return ", ".join(dict.fromkeys(filter(None, (facts.board, facts.soc, virtual))))


def clusters_of(facts: Facts) -> str | None:
    """The fastest kind first: `4x Cortex-A76 (4-7, 2.40 GHz), 4x Cortex-A55 (0-3, 1.80 GHz)`."""
    if len(facts.clusters) < 2:
        return None
    texts = []
    for one in reversed(facts.clusters):
        clock = f", {in_ghz(one.max_frequency_khz)}" if one.max_frequency_khz else ""
        texts.append(f"{len(one.cores)}x {one.name or 'core'} ({core_list(one.cores)}{clock})")
    return ", ".join(texts)


def _frequency_limits(facts: Facts) -> str | None:
    """Where it is below what the cores can do."""
    most = dict(facts.max_frequency_khz)
    return by_core(
        [(core, khz) for core, khz in facts.frequency_limits_khz if khz < most.get(core, 0)], in_ghz
    )


def _limits(facts: Facts) -> str | None:
    told = [
        f"{facts.cpu_limit_cores:g} cores' time" if facts.cpu_limit_cores is not None else None,
        f"cores {core_list(facts.cpuset)}" if facts.cpuset and facts.cpuset != facts.core_ids else None,
        in_memory(facts.memory_limit_bytes) if facts.memory_limit_bytes is not None else None,
    ]
    return ", ".join(filter(None, told))


def power_of(facts: Facts) -> str | None:
    """`mains`, `battery 78 %, discharging`; None where the device tells nothing of it."""
    told = []
    for one in facts.power_supplies:
        if one.kind == "Battery":
            charge = f" {one.capacity_percent} %" if one.capacity_percent is not None else ""
            told.append(f"battery{charge}{f', {one.status.lower()}' if one.status else ''}")
        elif one.is_online:
            told.append((one.kind or one.name).lower())
    return "; ".join(told)


def _gpu_states(facts: Facts) -> str | None:
    """Clocks, temperature, power and what holds the clocks down; idleness is no news."""
    texts = []
    for gpu in facts.gpus:
        held = [reason for reason in gpu.throttle_reasons or () if reason != "idle"]
        most = f" of {gpu.max_clock_mhz}" if gpu.max_clock_mhz is not None else ""
        told = (
            gpu.performance_state,
            f"{gpu.clock_mhz}{most} MHz" if gpu.clock_mhz is not None else None,
            f"memory {gpu.memory_clock_mhz} MHz" if gpu.memory_clock_mhz is not None else None,
            f"{in_memory(gpu.memory_used_bytes)} in use" if gpu.memory_used_bytes else None,
            f"{gpu.temperature_c} °C" if gpu.temperature_c is not None else None,
            f"{gpu.power_w:.0f} W" if gpu.power_w is not None else None,
            "no persistence mode" if gpu.is_persistent is False else None,
            f"held down: {', '.join(held)}" if held else None,
        )
        texts.append(", ".join(filter(None, told)))
    return "; ".join(filter(None, texts))
