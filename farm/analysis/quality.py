"""Whether a round counts: by its times, and by what the device said of itself meanwhile. Pure.

A round is only called something that its evidence shows: where a device says nothing, or too little was read
in a short round, its times alone decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from farm.analysis.telemetry import JIFFIES_PER_S, Span, Used, core_count, in_order, timed_part, used_in
from farm.model.matrix import RoundKind
from farm.model.run import Quality, RoundResult, RoundStatus
from farm.model.telemetry import Sample, Telemetry

BUSY_SHARE = 0.02
"""What others may use of a device's processor time: what its own house-keeping takes is below."""

BUSY_CORES = 0.2
"""And at most so much of one core's time, however many cores there are: of 64 cores 2 % would be a whole one,
and who has one shares caches, memory and the heat that the frequency depends on.
"""

STEAL_SHARE = 0.02
"""Of the time with something to do: by this much a round is slower than its processor."""

SLACK_JIFFIES = 3
"""The kernel counts whole jiffies, by looking who runs when the clock ticks: so much is noise of counting."""

SLACK_OF_OWN = 0.01
"""Of its own time the kernel counts a round exactly, and the device by ticks: so far they may lie apart."""

DRIFT = 0.1
"""A core whose frequency falls by more under load has changed its speed; turbo moves by less."""

RISE_C = 2.0
"""So much warmer, a device that became slower did so for its heat; sensors are no better than 1 C."""

REPEATED = frozenset(
    {Quality.THROTTLED, Quality.FREQUENCY_DRIFT, Quality.BUSY, Quality.MIGRATED, Quality.NOT_STEADY}
)
"""What may be otherwise the next time. A round without times, or with too few, would be the same again."""


def needs_repeat(result: RoundResult) -> bool:
    """Whether a round is to be run once more: a timed one, of the first attempt, that completed and does not
    count for what the device was like. In a duel the whole pair is.
    """
    return (
        result.kind is RoundKind.TIMED
        and result.status is RoundStatus.COMPLETED
        and result.attempt == 0
        and result.quality in REPEATED
    )


def last_attempts(rounds: Iterable[RoundResult]) -> tuple[RoundResult, ...]:
    """Of rounds that were repeated the last attempt only, each in the place of its first one."""
    last: dict[tuple[object, ...], RoundResult] = {}
    for one in rounds:
        key = (one.kind, one.phase, one.index)
        if key not in last or one.attempt >= last[key].attempt:
            last[key] = one
    return tuple(last.values())


@dataclass(frozen=True)
class Finding:
    """What is wrong with a round besides its times, and the evidence in words."""

    quality: Quality
    evidence: str


@dataclass(frozen=True)
class Setting:
    """What is known of a round's device beforehand.

    `asked_cores`: the cores that its threads were to run on. `kinds` has a number for the kind of each core
    where there are several. `reached_khz`: the highest frequency of each core in earlier rounds of the lease.
    `before` says that others used the device just before the round, where that was seen, and who.
    """

    asked_cores: tuple[int, ...] = ()
    kinds: Mapping[int, int] = field(default_factory=dict)
    reached_khz: Mapping[int, int] = field(default_factory=dict)
    before: str | None = None


def findings(
    samples: Sequence[Sample], telemetry: Telemetry | None, span: Span, setting: Setting
) -> tuple[Finding, ...]:
    """What the samples show, the worst first."""
    kept, _ = in_order(samples)
    part = [one for one in timed_part(kept, span) if one.running]
    found = [
        *_slowed_down(telemetry),
        *_drift(part, telemetry, setting),
        *_busy(kept, span, setting),
        *_migrated(part, setting),
    ]
    order = list(Quality)
    return tuple(sorted(found, key=lambda one: order.index(one.quality)))


def judged(result: RoundResult, found: Sequence[Finding], *, iterations_asked: bool = False) -> RoundResult:
    """A timed round with its quality. What its times show, nothing else makes better: without times it has no
    value at all. So few iterations as were asked for are no mistake, though nobody can tell whether they were
    steady.
    """
    if result.status is not RoundStatus.COMPLETED or result.kind is not RoundKind.TIMED:
        return result
    if result.quality in (Quality.NO_TIMES, Quality.BAD_TIMES):
        return result
    if result.quality is Quality.FEW_ITERATIONS and iterations_asked:
        note = f"{len(result.e2e_ms)} iterations, as asked for: too few to tell whether they are steady"
        result = replace(result, quality=Quality.OK, notes=(*result.notes, note))
    if not found:
        return result
    return replace(
        result, quality=found[0].quality, quality_evidence="; ".join(one.evidence for one in found)
    )


def _slowed_down(telemetry: Telemetry | None) -> Iterator[Finding]:
    if telemetry is not None and telemetry.throttle_events:
        hottest = max(telemetry.temperatures, key=lambda zone: zone.max_c, default=None)
        heat = f", up to {hottest.max_c:.0f} C ({hottest.name})" if hottest else ""
        yield Finding(
            Quality.THROTTLED, f"the device noted {telemetry.throttle_events}x that it was slowed down{heat}"
        )


def _drift(part: Sequence[Sample], telemetry: Telemetry | None, setting: Setting) -> Iterator[Finding]:
    """Of the cores that ran, within the round and against what they reached in earlier ones."""
    series: dict[int, list[int]] = {}
    for one in part:
        for core, khz in one.frequencies_khz:
            if core in one.running:
                series.setdefault(core, []).append(khz)
    worst: tuple[float, int, int, int] | None = None
    for core, values in series.items():
        high = max(*values, setting.reached_khz.get(core, 0), 1)
        if len(values) > 1 or core in setting.reached_khz:
            worst = min(worst or (1.0, core, high, high), (min(values) / high, core, high, min(values)))
    if worst is None or worst[0] >= 1 - DRIFT:
        return
    _, core, high, low = worst
    text = f"core {core} ran with {low / 1000:.0f} MHz, and before or after with {high / 1000:.0f} MHz"
    warmed = [
        zone for zone in (telemetry.temperatures if telemetry else ()) if zone.max_c - zone.start_c >= RISE_C
    ]
    if warmed:
        zone = max(warmed, key=lambda one: one.max_c - one.start_c)
        yield Finding(
            Quality.THROTTLED, f"{text}; {zone.name} rose from {zone.start_c:.0f} to {zone.max_c:.0f} C"
        )
    else:
        yield Finding(Quality.FREQUENCY_DRIFT, text)


def most_of_others(used: Used, cores: int) -> float:
    """The processor time in jiffies that others may have used before it counts: see BUSY_SHARE."""
    allowed = min(BUSY_SHARE * cores, BUSY_CORES) * used.elapsed_s * JIFFIES_PER_S
    return allowed + SLACK_JIFFIES + SLACK_OF_OWN * used.own


def busy_text(used: Used | None, told_cores: int | None) -> str | None:
    """What others took of a device, in words, where it is more than they may; else None, and where it is not
    known.
    """
    if used is None or used.elapsed_s <= 0:
        return None
    cores = core_count(used, told_cores)
    said = []
    if used.others > most_of_others(used, cores):
        share = min(BUSY_SHARE * cores, BUSY_CORES)
        took = used.others / (used.elapsed_s * JIFFIES_PER_S)
        said.append(f"others used {took:.2f} of a core's time (more than {share:.2f})")
    if used.steal > STEAL_SHARE * used.busy + SLACK_JIFFIES:
        said.append(f"{100 * used.steal / used.busy:.0f} % of the time was stolen by other virtual machines")
    return " and ".join(said) or None


def _busy(samples: Sequence[Sample], span: Span, setting: Setting) -> Iterator[Finding]:
    used = used_in(samples)
    text = busy_text(used, span.core_count)
    if text is not None:
        yield Finding(Quality.BUSY, f"{text}; {setting.before}" if setting.before else text)
    elif setting.before and (used is None or used.elapsed_s < SHORTEST_OF_ITS_OWN_S):
        yield Finding(Quality.BUSY, f"the round is too short to tell, and just before it {setting.before}")


SHORTEST_OF_ITS_OWN_S = 0.5
"""A shorter round does not show that the device has become idle since it was looked at."""


def _migrated(part: Sequence[Sample], setting: Setting) -> Iterator[Finding]:
    if len(part) < 2:
        return
    asked = set(setting.asked_cores)
    off = [one for one in part if asked and not asked.issuperset(one.running)]
    if 2 * len(off) >= len(part) and off:
        others = sorted({core for one in off for core in one.running} - asked)
        yield Finding(
            Quality.MIGRATED,
            f"threads ran on {_cores(others)} in {len(off)} of {len(part)} looks, "
            f"asked for was {_cores(sorted(asked))}",
        )
    places = {frozenset(setting.kinds.get(core, -1) for core in one.running) for one in part}
    asked_kinds = {setting.kinds.get(core, -1) for core in asked}
    if len(places) > 1 and len(asked_kinds) < 2:
        cores = sorted({core for one in part for core in one.running})
        yield Finding(Quality.MIGRATED, f"threads moved between cores of different kinds: {_cores(cores)}")


def _cores(cores: Sequence[int]) -> str:
    return f"core{'' if len(cores) == 1 else 's'} {', '.join(map(str, cores))}"
