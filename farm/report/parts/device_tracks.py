"""Temperature and frequency of a device over the rounds of a cell, from the telemetry of each."""

from __future__ import annotations

from collections.abc import Sequence

from farm.model.run import Quality, RoundResult
from farm.model.telemetry import Telemetry
from farm.report.figures.tracks import Reading, Track, tracks
from farm.report.figures.view import Tracks


def device_tracks(rounds: Sequence[RoundResult]) -> Tracks | None:
    """In the order of `rounds`; None where the device said neither of two rounds or more."""
    told = [one.telemetry for one in rounds]
    return tracks(
        [
            Track("hottest sensor, \N{DEGREE SIGN}C", tuple(map(_temperature, told))),
            Track("slowest core in use, GHz", tuple(map(_frequency, told))),
        ],
        [one.quality is Quality.THROTTLED for one in rounds],
    )


def _temperature(told: Telemetry | None) -> Reading | None:
    """The highest of the hottest sensor, over where it began."""
    if told is None or not told.temperatures:
        return None
    hottest = max(told.temperatures, key=lambda zone: zone.max_c)
    return Reading(hottest.start_c, hottest.max_c, hottest.max_c)


def _frequency(told: Telemetry | None) -> Reading | None:
    """Of the cores that the round ran on, where that is known: the slowest one's median and its range."""
    if told is None:
        return None
    used = [one for one in told.frequencies if one.core in told.cores] or told.frequencies
    if not used:
        return None
    slowest = min(used, key=lambda one: one.median_khz)
    return Reading(slowest.min_khz / 1e6, slowest.median_khz / 1e6, slowest.max_khz / 1e6)
