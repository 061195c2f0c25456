"""Telemetry of the agent: lines of readings in, samples out. Whatever is in it, it is hostile text.

What is no reading (nonsense, a temperature that nothing has, a number too long for any counter) is left out
of its sample; a line that was cut is left out as a whole. docs/agent-protocol.md describes the columns.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from farm.model.telemetry import CpuTime, GpuSample, Sample
from farm.visible import one_line

MAX_SAMPLES = 100_000
"""A sample a second of a day: a round is over by then."""
MAX_COLUMNS = 5_000
LONGEST_NAME = 60
COLDEST_C, HOTTEST_C = -60.0, 200.0
"""Outside of these no device runs: sensors that are switched off say -273 or 65535."""
FASTEST_KHZ = 20_000_000
MOST_MW = 10_000_000.0
"""10 kW: what no device takes."""

_NUMBER = re.compile(r"-?[0-9]{1,18}")
_CORE = re.compile(r"cpu([0-9]{1,4})_khz")
_TIME = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,6})?")
_ESCAPE = re.compile(r"%([0-9A-F]{2})")
_HEX = re.compile(r"0x[0-9A-Fa-f]{1,16}")


def parse_telemetry(text: str) -> tuple[Sample, ...]:
    """The samples of one round, or of one `sense`, in order; none where the first line names no columns."""
    names, lines = _lines(text)
    if not names or names[0] != "uptime_s" or len(names) > MAX_COLUMNS:
        return ()
    samples = []
    for line in lines[:MAX_SAMPLES]:
        words = line.split(" ")
        if len(words) == len(names) and _TIME.fullmatch(words[0]):
            samples.append(_sample(names, words))
    return tuple(samples)


def _lines(text: str) -> tuple[list[str], list[str]]:
    """The names of the columns, and the lines that are whole: what follows the last newline was cut."""
    head, *lines = text.split("\n")[:-1] or [""]
    return [_decoded(name) for name in head.split(" ")], lines


def _decoded(name: str) -> str:
    return one_line(_ESCAPE.sub(lambda found: chr(int(found[1], 16)), name), LONGEST_NAME)


def _sample(names: Sequence[str], words: Sequence[str]) -> Sample:
    row = dict(zip(names, words, strict=True))
    return Sample(
        at_s=float(words[0]),
        cpu=_cpu(row.get("cpu", "")),
        own=_sum(row.get("own", "")),
        cores=_cores(row.get("cores", "")),
        running=_cores(row.get("running", "")),
        frequencies_khz=tuple(_frequencies(row)),
        temperatures_c=tuple(_temperatures(row)),
        throttles=tuple(
            (name, count)
            for name, word in row.items()
            if name.startswith(("throttle:", "cooling:")) and (count := _count(word)) is not None
        ),
        energy_uj=tuple(
            (name.removeprefix("energy:").removesuffix("_uj"), count)
            for name, word in row.items()
            if name.startswith("energy:") and (count := _count(word)) is not None
        ),
        power_mw=tuple(_powers(row)),
    )


def _number(word: str) -> int | None:
    return int(word) if _NUMBER.fullmatch(word) else None


def _count(word: str) -> int | None:
    number = _number(word)
    return number if number is not None and number >= 0 else None


def _sum(word: str) -> int | None:
    """Of `12+3+0`, as the agent leaves it to be made."""
    terms = [_count(one) for one in word.split("+")]
    known = [one for one in terms if one is not None]
    return sum(known) if len(known) == len(terms) else None


def _cpu(word: str) -> CpuTime | None:
    """The first eight numbers of /proc/stat's first line: user, nice, system, idle, iowait, irq, softirq and
    steal. Guests' time is part of user's.
    """
    counts = [_count(one) for one in word.split(",")]
    known = [one for one in counts if one is not None]
    if len(known) != 8 or len(counts) != 8:
        return None
    return CpuTime(sum(known), known[3] + known[4], known[7])


def _cores(word: str) -> tuple[int, ...]:
    numbers = (_count(one) for one in word.split(","))
    return tuple(number for number in numbers if number is not None and number < 10_000)


def _frequencies(row: dict[str, str]) -> Iterator[tuple[int, int]]:
    for name, word in row.items():
        core, khz = _CORE.fullmatch(name), _count(word)
        if core and khz is not None and 0 < khz < FASTEST_KHZ:
            yield int(core[1]), khz


def _temperatures(row: dict[str, str]) -> Iterator[tuple[str, float]]:
    """In millidegrees; old kernels have whole degrees."""
    for name, word in row.items():
        number = _number(word) if name.startswith("temp:") else None
        if number is None:
            continue
        celsius = number / 1000 if abs(number) > HOTTEST_C else float(number)
        if number != 0 and COLDEST_C <= celsius <= HOTTEST_C:
            yield name.removeprefix("temp:").removesuffix("_mc"), celsius


def _powers(row: dict[str, str]) -> Iterator[tuple[str, float]]:
    """In mW: current times voltage, or as it is said. Some drivers call a battery's current negative."""
    for name, word in row.items():
        number = _number(word)
        if number is None:
            continue
        if name.startswith("current:"):
            supply = name.removeprefix("current:").removesuffix("_ua")
            volts = _count(row.get(f"voltage:{supply}_uv", ""))
            milliwatts = None if volts is None else abs(number) * volts / 1e9
        elif name.startswith("power:"):
            supply, milliwatts = name.removeprefix("power:").removesuffix("_uw"), abs(number) / 1e3
        else:
            continue
        if milliwatts is not None and milliwatts <= MOST_MW:
            yield supply, milliwatts


def parse_gpu_telemetry(text: str) -> tuple[GpuSample, ...]:
    """Lines `<uptime> <index>, <W>, <C>, <MHz>, <reasons>` of nvidia-smi; what is no reading is left out."""
    samples = []
    for line in text.split("\n")[:-1][:MAX_SAMPLES]:
        at, _, rest = line.partition(" ")
        words = [word.strip() for word in rest.split(",")]
        index = _count(words[0])
        if len(words) != 5 or index is None or index > 1000 or not _TIME.fullmatch(at):
            continue
        watts, celsius, clock = _decimal(words[1]), _decimal(words[2]), _decimal(words[3])
        samples.append(
            GpuSample(
                at_s=float(at),
                gpu=index,
                power_mw=None if watts is None or watts * 1000 > MOST_MW else watts * 1000,
                temperature_c=celsius if celsius is not None and celsius <= HOTTEST_C else None,
                clock_mhz=None if clock is None else round(clock),
                reasons=int(words[4], 16) if _HEX.fullmatch(words[4]) else None,
            )
        )
    return tuple(samples)


def _decimal(word: str) -> float | None:
    if not re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,6})?", word):
        return None
    number = float(word)
    return number if math.isfinite(number) else None
