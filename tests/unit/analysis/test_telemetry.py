"""The summary of a round's samples, and sensors that lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from farm.analysis.telemetry import NVIDIA, Span, summary_of
from farm.logs.telemetry import parse_gpu_telemetry
from farm.model.telemetry import CoreFrequency, CpuTime, GpuSample, Sample, Zone


def at(second: float, *, busy: int = 0, own: int | None = None, steal: int = 0, **more: Any) -> Sample:
    """A sample of a device of two cores that was started 1000 s before; times in jiffies."""
    total = round(1000 + second * 200)
    return Sample(1000 + second, CpuTime(total, total - busy, steal), own, **more)


def test_no_samples_have_no_summary():
    assert summary_of(()) is None


def test_what_others_used_is_all_but_the_rounds_own():
    told = summary_of([at(0), at(1, busy=90, own=80), at(2, busy=200, own=170)])
    assert (told.duration_s, told.others_cores, told.others_share, told.steal_share) == (
        2.0,
        0.15,
        0.075,
        0.0,
    )


def test_what_was_stolen_is_a_part_of_the_time_with_something_to_do():
    told = summary_of([at(0), at(2, busy=200, own=190, steal=10)])
    assert (told.steal_share, told.others_cores) == (0.05, 0.0)


def test_a_device_that_does_not_tell_its_share_tells_nothing_of_others():
    """Else all processor time would be others'."""
    assert summary_of([at(0), at(1, busy=90)]).others_cores is None
    assert summary_of([Sample(1.0), Sample(2.0, own=90)]).others_cores is None


def test_time_of_a_descendant_that_nobody_waited_for_is_not_lost():
    assert summary_of([at(0), at(1, busy=100, own=100), at(1.1, busy=110, own=2)]).others_cores < 0.1


def test_a_moment_says_nothing_of_others():
    assert summary_of([at(0), at(0.1, busy=10, own=0)]).others_cores is None


def test_temperatures_have_their_start_their_height_and_their_end():
    told = summary_of(
        [at(i, temperatures_c=(("soc", celsius),)) for i, celsius in enumerate((40.0, 55.0, 51.0))]
    )
    assert told.temperatures == (Zone("soc", 40.0, 55.0, 51.0),)


def test_frequencies_are_those_of_cores_that_the_round_ran_on_in_its_timed_part():
    samples = [
        at(0, frequencies_khz=((0, 600_000), (1, 600_000))),
        at(1, frequencies_khz=((0, 900_000), (1, 600_000)), running=(0,)),
        at(2, frequencies_khz=((0, 1_800_000), (1, 600_000)), running=(0,)),
        at(3, frequencies_khz=((0, 1_600_000), (1, 600_000)), running=(0,)),
        at(3.5, frequencies_khz=((0, 600_000), (1, 600_000))),
    ]
    told = summary_of(samples, span=Span(timed_s=2.0))
    assert told.frequencies == (CoreFrequency(0, 1_600_000, 1_700_000, 1_800_000),)
    assert told.cores == (0,)


def test_a_clock_that_goes_back_costs_the_readings_behind_it_and_one_that_jumps_is_told():
    back = summary_of([at(0), at(5), at(1), at(2), at(6)])
    assert (back.samples, back.duration_s) == (3, 6.0)
    assert "went back: 2 of its readings" in back.notes[0]
    jumped = summary_of([at(0), at(1), at(4000)])
    assert "nothing was read for 3999 s" in jumped.notes[0]


def test_counters_of_processor_time_that_go_back_are_told_and_count_for_nothing():
    told = summary_of([at(0, busy=500, own=0), at(2, busy=100, own=50)])
    assert told.others_cores is None
    assert told.notes == ("its counters of processor time went back",)


def test_events_of_one_package_are_counted_once_and_a_counter_that_goes_back_not_at_all():
    first = at(
        0, throttles=(("throttle:cpu0:package", 3), ("throttle:cpu1:package", 3), ("throttle:cpu0:core", 9))
    )
    last = at(
        2, throttles=(("throttle:cpu0:package", 5), ("throttle:cpu1:package", 5), ("throttle:cpu0:core", 1))
    )
    told = summary_of([first, at(1), last])
    assert (told.throttle_events, told.notes) == (2, ("a counter of throttling went back",))
    assert summary_of([at(0), at(1)]).throttle_events is None


def test_a_cooling_device_at_work_is_an_event_in_each_sample():
    samples = [
        at(i, throttles=(("cooling:thermal-cpufreq-0", state),)) for i, state in enumerate((0, 2, 1, 0))
    ]
    assert summary_of(samples).throttle_events == 2


@pytest.mark.parametrize(("reasons", "events"), [(0x4, 0), (0x1, 0), (0x20, 2), (0x8, 2), (None, None)])
def test_a_gpu_is_slowed_down_by_heat_and_not_by_its_usual_limit_of_power(reasons, events):
    gpu = [GpuSample(1000.0 + i, 0, 70_000, 60 + i, 1410, reasons) for i in range(2)]
    told = summary_of([at(0), at(2)], gpu)
    assert told.throttle_events == events
    assert told.temperatures == (Zone("gpu0", 60, 61, 61),)


# --------------------------------------------------------------------------- energy


def counted(*values_uj: int) -> list[Sample]:
    return [at(i, energy_uj=(("package-0", value),)) for i, value in enumerate(values_uj)]


def test_energy_of_an_inference_is_the_mean_power_for_its_time():
    (energy,) = summary_of(counted(0, 5_000_000, 10_000_000), span=Span(value_ms=20.0)).energy
    assert (energy.total_mj, energy.mean_mw, energy.per_inference_mj) == (10_000.0, 5000.0, 100.0)
    assert "uJ" in energy.resolution


def test_a_counter_of_energy_that_begins_anew_costs_that_part_only():
    told = summary_of(counted(262_143_000_000, 262_148_000_000, 1_000_000, 6_000_000))
    assert told.energy[0].mean_mw == 5000.0
    assert "began anew" in told.notes[0]


@pytest.mark.parametrize(
    ("values", "why"),
    [((7, 7, 7), "does not move"), ((9, 8, 7), "went back"), ((0, 10**17, 2 * 10**17), "is not believed")],
)
def test_a_counter_of_energy_that_lies_counts_for_nothing_and_is_named(values, why):
    told = summary_of(counted(*values))
    assert told.energy == ()
    assert told.notes[0].startswith("package-0: ")
    assert why in told.notes[0]


def test_the_power_of_a_battery_and_of_a_gpu_is_averaged_over_time():
    samples = [at(i, power_mw=(("battery", mw),)) for i, mw in ((0, 1000.0), (1, 3000.0), (3, 3000.0))]
    gpu = [GpuSample(1000.0 + i, 1, 50_000 + 10_000 * i, None, None, None) for i in range(3)]
    battery, card = summary_of(samples, gpu, Span(value_ms=1.0)).energy
    assert (battery.sensor, round(battery.mean_mw), battery.per_inference_mj) == ("battery", 2667, 2.667)
    assert (card.sensor, card.mean_mw, card.resolution) == ("gpu1", 60_000, NVIDIA)


def test_a_sensor_of_power_that_always_says_0_is_none():
    assert summary_of([at(i, power_mw=(("battery", 0.0),)) for i in range(3)]).energy == ()


def test_a_gpu_that_is_held_by_its_limit_of_power_is_told_and_counts():
    """As an NVIDIA H200 told it beside large matrix products (a GPU has 700 W there)."""
    recorded = Path(__file__).parents[2] / "data" / "telemetry" / "nvidia-h200.txt"
    told = summary_of([at(0), at(6)], parse_gpu_telemetry(recorded.read_text()), Span(value_ms=101.6))
    assert told.throttle_events == 0
    assert told.notes == ("gpu0 was held by its limit of power in 5 of 6 readings, at 1440 to 1965 MHz",)
    assert told.temperatures == (Zone("gpu0", 44, 61, 61),)
