"""A timed round with what its device said of itself: the summary of its telemetry, and its quality. Pure."""

from __future__ import annotations

from dataclasses import replace

from farm.analysis.quality import Setting, findings, judged
from farm.analysis.telemetry import Span, summary_of
from farm.model.device import Facts
from farm.model.matrix import Round, RoundKind
from farm.model.run import RoundResult
from farm.run.measure.readings import Readings
from farm.run.measure.surroundings import Surroundings

SAME_KIND = 0.9
"""Cores whose highest frequencies differ by less are of one kind: turbo has favourite cores."""


def assessed(
    result: RoundResult, one: Round, facts: Facts, readings: Readings, around: Surroundings
) -> RoundResult:
    """`result` with its telemetry; a timed one with its quality, and how long it was held back."""
    span = span_of(result, one, around.core_count)
    telemetry = summary_of(readings.samples, readings.gpu, span)
    result = replace(result, telemetry=telemetry)
    if one.kind is not RoundKind.TIMED:
        return result
    setting = Setting(asked_cores(one), kinds_of(facts), dict(around.reached_khz), around.busy)
    found = findings(readings.samples, telemetry, span, setting)
    result = judged(result, found, iterations_asked="iter" in one.options)
    return replace(result, waited_s=around.waited_s)


def span_of(result: RoundResult, one: Round, core_count: int | None) -> Span:
    """Runs at the same time (`--thread`) have one timed part together."""
    runs = max(1, int(one.options.get("thread") or 1))
    timed_s = sum(result.e2e_ms) / 1000 / runs if result.e2e_ms else None
    return Span(timed_s, result.value_ms, core_count)


def asked_cores(one: Round) -> tuple[int, ...]:
    text = str(one.options.get("multi-thread-core-ids") or "")
    return tuple(int(core) for core in text.split(",") if core.isdigit())


def kinds_of(facts: Facts) -> dict[int, int]:
    """A number for the kind of each core, by its highest frequency."""
    kinds: dict[int, int] = {}
    kind, above = 0, 0
    for core, khz in sorted(facts.max_frequency_khz, key=lambda pair: pair[1]):
        if above and above < SAME_KIND * khz:
            kind += 1
        above = khz
        kinds[core] = kind
    return kinds
