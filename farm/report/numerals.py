"""Numbers as text: one format for the report and the command line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from farm.cores import core_list

MISSING = "\N{EN DASH}"

MOST_DECIMALS = 3
"""As many as load_and_run prints."""


def decimals_for(values_ms: Iterable[float]) -> int:
    """Decimals for a group of times in ms that are shown in one table: the same for all, 0 to 3.

    The smallest gets three significant digits, and a group below one second at least one decimal.
    """
    known = [value for value in values_ms if value > 0]
    if not known:
        return MOST_DECIMALS
    wanted = 2 - math.floor(math.log10(min(known)))
    return min(max(wanted, 1 if max(known) < 1000 else 0), MOST_DECIMALS)


def in_ms(value_ms: float | None, decimals: int) -> str:
    return MISSING if value_ms is None else f"{value_ms:.{decimals}f}"


def as_ratio(ratio: float) -> str:
    """A ratio with two decimals or, far from 1, three significant digits."""
    if not math.isfinite(ratio):
        return MISSING
    if ratio >= 100:
        return f"{ratio:.0f}"
    if ratio >= 10:
        return f"{ratio:.1f}"
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"


def in_bytes(size_bytes: int | None) -> str:
    """A file's size in decimal units, as the tools that move files print it."""
    from humanize import naturalsize  # not for who only prints times

    return MISSING if size_bytes is None else naturalsize(size_bytes, format="%.3g")


def in_memory(size_bytes: int | None) -> str:
    """Memory in GiB, in MiB where it is less than one."""
    if size_bytes is None:
        return MISSING
    return f"{size_bytes / 2**30:.1f} GiB" if size_bytes >= 1 << 30 else f"{size_bytes / 2**20:.0f} MiB"


def in_ghz(frequency_khz: int) -> str:
    return f"{frequency_khz / 1e6:.2f} GHz"


def as_duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def moment(text: str | None) -> datetime | None:
    """A time as results.json has it (ISO 8601); without an offset it is UTC. None when it is not a time."""
    try:
        read = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def by_core(pairs: Sequence[tuple[int, object]], show: Callable[..., str]) -> str | None:
    """One text when all cores agree, else each with its cores: `1.80 GHz on 0-3, 2.40 GHz on 4-7`."""
    cores_of: dict[str, list[int]] = {}
    for core, value in pairs:
        cores_of.setdefault(show(value), []).append(core)
    if len(cores_of) <= 1:
        return next(iter(cores_of), None)
    return ", ".join(f"{text} on {core_list(cores)}" for text, cores in cores_of.items())
