"""The samples of a round -> their summary. Pure.

A sensor that lies is a bounded degradation: what cannot be believed is left out, and a note names it.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from farm.model.telemetry import CoreFrequency, CpuTime, Energy, GpuSample, Sample, Telemetry, Zone

JIFFIES_PER_S = 100
"""USER_HZ, in which /proc counts on every architecture that farm knows."""

MOST_GAP_S = 60.0
"""Samples come every second, or every five; after such a gap the device slept, or its clock jumped."""

SHORTEST_S = 0.2
"""Below this the jiffies of a device say nothing."""

SLOWED = 0x8 | 0x20 | 0x40 | 0x80
"""NVML's reasons for a GPU's clocks that are heat or power: hardware slowdown, software and hardware thermal
slowdown, power brake (nvmlClocksEventReasons in nvml.h).
"""

POWER_LIMIT = 0x4
"""NVML's reason for a GPU that keeps to its limit of power: usual under load, so a round with it counts."""

MOST_MW = 10_000_000.0
RAPL = "a counter in uJ that moves about once a millisecond"
SUPPLY = "current times voltage, one reading a second"
NVIDIA = "nvidia-smi, one reading a second, which the driver averages over up to a second"


@dataclass(frozen=True)
class Span:
    """What the times of a round say: how long its timed part took (it ends with the round), the time of one
    inference, and how many cores the device has. None where it is not known.
    """

    timed_s: float | None = None
    value_ms: float | None = None
    core_count: int | None = None


def in_order(samples: Sequence[Sample]) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """The samples whose time does not go back, and what is to be said of the others."""
    kept: list[Sample] = []
    for one in samples:
        if not kept or one.at_s >= kept[-1].at_s:
            kept.append(one)
    notes = []
    if dropped := len(samples) - len(kept):
        notes.append(f"the device's clock went back: {dropped} of its readings do not count")
    gap_s = max((later.at_s - earlier.at_s for earlier, later in pairwise(kept)), default=0.0)
    if gap_s > MOST_GAP_S:
        notes.append(f"the device's clock jumped, or it slept: nothing was read for {gap_s:.0f} s")
    return tuple(kept), tuple(notes)


def timed_part(samples: Sequence[Sample], span: Span) -> Sequence[Sample]:
    """The samples of the timed iterations, by time: these are the last part of a round."""
    if not samples or span.timed_s is None:
        return samples
    begin_s = samples[-1].at_s - span.timed_s
    return [one for one in samples if one.at_s >= begin_s]


def summary_of(
    samples: Sequence[Sample], gpu: Sequence[GpuSample] = (), span: Span | None = None
) -> Telemetry | None:
    """The summary of a round's samples, in the order in which they were written; None where there is none."""
    kept, notes = in_order(samples)
    if not kept:
        return None
    span = span or Span()
    frame = Telemetry(
        samples=len(kept),
        duration_s=round(kept[-1].at_s - kept[0].at_s, 2),
        temperatures=(*_zones(kept), *_gpu_zones(gpu)),
        frequencies=_frequencies(kept, span),
        cores=_cores(kept),
    )
    frame, more = _with_processor_time(frame, kept, span)
    events, said = _throttle_events(kept, gpu)
    energy, unlikely = _energy(kept, gpu, span)
    said = (*said, *_limited(gpu))
    return replace(frame, throttle_events=events, energy=energy, notes=(*notes, *more, *said, *unlikely))


def _zones(samples: Sequence[Sample]) -> tuple[Zone, ...]:
    found: dict[str, list[float]] = defaultdict(list)
    for one in samples:
        for name, celsius in one.temperatures_c:
            found[name].append(celsius)
    return tuple(Zone(name, values[0], max(values), values[-1]) for name, values in found.items())


def _gpu_zones(samples: Sequence[GpuSample]) -> tuple[Zone, ...]:
    found: dict[int, list[float]] = defaultdict(list)
    for one in samples:
        if one.temperature_c is not None:
            found[one.gpu].append(one.temperature_c)
    return tuple(Zone(f"gpu{gpu}", values[0], max(values), values[-1]) for gpu, values in found.items())


def _frequencies(samples: Sequence[Sample], span: Span) -> tuple[CoreFrequency, ...]:
    """Of the cores that the round's threads ran on; of all of them where that was not seen."""
    part = timed_part(samples, span)
    seen = [(core, khz) for one in part for core, khz in one.frequencies_khz if core in one.running]
    found: dict[int, list[int]] = defaultdict(list)
    for core, khz in seen or [pair for one in samples for pair in one.frequencies_khz]:
        found[core].append(khz)
    return tuple(
        CoreFrequency(core, min(values), round(statistics.median(values)), max(values))
        for core, values in sorted(found.items())
    )


def _cores(samples: Sequence[Sample]) -> tuple[int, ...]:
    running = {core for one in samples for core in one.running}
    return tuple(sorted(running or {core for one in samples for core in one.cores}))


# --------------------------------------------------------------------------- processor time


@dataclass(frozen=True)
class Used:
    """Processor time between two readings, in jiffies: of all cores, and of these of the round itself, of
    others, and what other virtual machines took.
    """

    total: int
    own: int
    others: int
    steal: int
    elapsed_s: float

    @property
    def busy(self) -> int:
        return self.own + self.others + self.steal


def used_between(first: Sample, last: Sample) -> Used | None:
    """None where a reading lacks it, or a counter went back. A first reading without the round's own time is
    from before its start.
    """
    if first.cpu is None or last.cpu is None:
        return None
    own = (last.own or 0) - (first.own or 0)
    went: CpuTime = CpuTime(
        last.cpu.total - first.cpu.total, last.cpu.idle - first.cpu.idle, last.cpu.steal - first.cpu.steal
    )
    if min(went.total, went.idle, went.steal, own) < 0 or went.total == 0 or went.idle > went.total:
        return None
    others = max(0, went.busy - went.steal - own)
    return Used(went.total, own, others, went.steal, last.at_s - first.at_s)


def used_in(samples: Sequence[Sample]) -> Used | None:
    """Over a whole round. None where the device does not tell its own share: all would be others'."""
    kept, _ = in_order(samples)
    known = [one for one in kept if one.cpu is not None]
    own = [one.own for one in known if one.own is not None]
    if len(known) < 2 or not own:
        return None
    last = next(one for one in reversed(known) if one.own is not None)
    # The time of descendants that nobody waited for is lost when they end.
    return used_between(known[0], replace(last, own=max(own)))


def core_count(used: Used, told: int | None) -> int:
    """How many cores the device has: as the probe found, else as the jiffies of all of them say."""
    counted = round(used.total / (JIFFIES_PER_S * used.elapsed_s)) if used.elapsed_s > 0 else 1
    return told or max(1, counted)


def _with_processor_time(
    frame: Telemetry, samples: Sequence[Sample], span: Span
) -> tuple[Telemetry, tuple[str, ...]]:
    used = used_in(samples)
    if used is None:
        has_any = sum(one.cpu is not None and one.own is not None for one in samples) > 1
        return frame, ("its counters of processor time went back",) if has_any else ()
    if used.elapsed_s < SHORTEST_S:
        return frame, ()
    share = used.others / used.total
    return replace(
        frame,
        others_share=round(share, 4),
        others_cores=round(share * core_count(used, span.core_count), 3),
        steal_share=round(used.steal / used.busy, 4) if used.busy else 0.0,
    ), ()


# --------------------------------------------------------------------------- throttling


def _throttle_events(
    samples: Sequence[Sample], gpu: Sequence[GpuSample]
) -> tuple[int | None, tuple[str, ...]]:
    """What the device counted, and in how many samples it was slowed down. Cores of one package count the
    same events: the highest counter is taken.
    """
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    slowed = 0
    for one in samples:
        slowed += any(name.startswith("cooling:") and state > 0 for name, state in one.throttles)
        for name, count in one.throttles:
            first.setdefault(name, count)
            last[name] = count
    went = {name: last[name] - first[name] for name in last if name.startswith("throttle:")}
    reasons = [one.reasons for one in gpu if one.reasons is not None]
    if not last and not reasons:
        return None, ()
    events = max((count for count in went.values() if count > 0), default=0)
    notes = ("a counter of throttling went back",) if min(went.values(), default=0) < 0 else ()
    return events + slowed + sum(bool(reason & SLOWED) for reason in reasons), notes


def _limited(samples: Sequence[GpuSample]) -> Iterator[str]:
    """Which GPUs were as fast as their limit of power allows, and how fast that was."""
    for gpu in sorted({one.gpu for one in samples}):
        mine = [one for one in samples if one.gpu == gpu and one.reasons is not None]
        limited = [one for one in mine if (one.reasons or 0) & POWER_LIMIT]
        clocks = sorted(one.clock_mhz for one in limited if one.clock_mhz is not None)
        if limited:
            clock = f", at {clocks[0]} to {clocks[-1]} MHz" if clocks else ""
            yield f"gpu{gpu} was held by its limit of power in {len(limited)} of {len(mine)} readings{clock}"


# --------------------------------------------------------------------------- energy


def _energy(
    samples: Sequence[Sample], gpu: Sequence[GpuSample], span: Span
) -> tuple[tuple[Energy, ...], tuple[str, ...]]:
    part = timed_part(samples, span)
    part = part if len(part) > 1 else samples
    notes: list[str] = []
    found: list[Energy] = []
    duration_s = samples[-1].at_s - samples[0].at_s
    for name, readings in _by_name((one.at_s, one.energy_uj) for one in part).items():
        mean_mw, note = _of_counter(readings)
        notes += [f"{name}: {note}"] if note else []
        found += _told(name, RAPL, mean_mw, duration_s, span)
    for name, powers in _by_name((one.at_s, one.power_mw) for one in part).items():
        found += _told(name, SUPPLY, _of_power(powers), duration_s, span)
    begin_s = part[0].at_s
    readings_of_gpus = (
        (one.at_s, ((f"gpu{one.gpu}", one.power_mw),))
        for one in gpu
        if one.power_mw is not None and one.at_s >= begin_s
    )
    for name, powers in _by_name(readings_of_gpus).items():
        found += _told(name, NVIDIA, _of_power(powers), duration_s, span)
    return tuple(found), tuple(notes)


def _by_name(
    readings: Iterable[tuple[float, Iterable[tuple[str, float]]]],
) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for at_s, pairs in readings:
        for name, value in pairs:
            found[name].append((at_s, value))
    return found


def _of_counter(readings: Sequence[tuple[float, float]]) -> tuple[float | None, str | None]:
    """The mean power in mW by a counter in uJ. Where it went back, or began anew, a part does not count."""
    went_uj = passed_s = 0.0
    back = 0
    for (earlier_s, before), (later_s, after) in pairwise(readings):
        if after < before:
            back += 1
        else:
            went_uj += after - before
            passed_s += later_s - earlier_s
    if passed_s <= 0:
        return None, "the counter of energy went back" if back else None
    mean_mw = went_uj / passed_s / 1e3
    if mean_mw > MOST_MW:
        return None, f"a power of {mean_mw / 1e6:.0f} kW is not believed"
    if went_uj == 0:
        return None, "the counter of energy does not move" if passed_s >= 1 else None
    return mean_mw, "the counter of energy began anew" if back else None


def _of_power(readings: Sequence[tuple[float, float]]) -> float | None:
    """The mean in mW over time, with straight lines between the readings."""
    values = [value for _, value in readings]
    if not any(values):
        return None
    passed_s = readings[-1][0] - readings[0][0]
    if passed_s <= 0:
        return statistics.fmean(values)
    area = sum((later - earlier) * (a + b) / 2 for (earlier, a), (later, b) in pairwise(readings))
    return area / passed_s


def _told(name: str, how: str, mean_mw: float | None, duration_s: float, span: Span) -> list[Energy]:
    if mean_mw is None:
        return []
    per_inference_mj = None if span.value_ms is None else float(f"{mean_mw * span.value_ms / 1e3:.4g}")
    return [Energy(name, how, round(mean_mw * duration_s, 3), round(mean_mw, 3), per_inference_mj)]
