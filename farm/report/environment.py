"""The environment of every device, facts side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

from farm.model.device import Facts
from farm.model.run import DeviceRecord
from farm.report.numerals import MISSING, by_core, core_list, in_bytes, in_ghz, in_memory
from farm.report.view import Environment, EnvironmentGroup, EnvironmentRow

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
            ("CPU", True, lambda _, f: f.cpu_model),
            ("CPU features", True, lambda _, f: " ".join(f.cpu_features)),
            ("cores", True, lambda _, f: _cores(f.core_ids)),
            ("max. frequency", True, lambda _, f: by_core(f.max_frequency_khz, in_ghz)),
            ("memory", True, lambda _, f: in_memory(f.memory_bytes)),
            ("GPU", True, lambda _, f: _gpus(f)),
        ),
    ),
    (
        "At the start of the run",
        (
            ("governor", True, lambda _, f: by_core(f.governors, str)),
            ("load, 1 minute", False, lambda _, f: _decimal(f.load_average_1m, "")),
            ("memory free", False, lambda _, f: in_memory(f.memory_available_bytes)),
            ("disk free", False, lambda _, f: in_bytes(f.disk_free_bytes)),
            ("temperatures", False, lambda _, f: _temperatures(f)),
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


def compose_environment(devices: Sequence[DeviceRecord]) -> Environment:
    """One column per device; rows without a value on any device are left out."""
    groups = (
        EnvironmentGroup(title, tuple(row for entry in rows if (row := _row(entry, devices))))
        for title, rows in GROUPS
    )
    return Environment(tuple(d.name for d in devices), tuple(group for group in groups if group.rows))


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


def _gpus(facts: Facts) -> str | None:
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
