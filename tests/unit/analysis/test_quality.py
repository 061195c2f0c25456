"""Whether a round counts, by what the device said of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from farm.analysis.quality import Setting, findings, judged, last_attempts, needs_repeat
from farm.analysis.summary import summarise
from farm.analysis.telemetry import Span, summary_of
from farm.model.comparison import Phase
from farm.model.matrix import RoundKind
from farm.model.run import Quality, RoundResult, RoundStatus
from farm.model.telemetry import CpuTime, Sample

ROUND = RoundResult(RoundKind.TIMED, 0, RoundStatus.COMPLETED, value_ms=1.0, e2e_ms=(1.0,) * 10)


def at(
    second: float, *, others: float = 0.0, own: float = 1.0, steal: float = 0.0, cores: int = 2, **more: Any
) -> Sample:
    """A device on which others have used so many cores since second 0, and the round so many."""
    total, mine = round(1000 + second * 100 * cores), round(own * second * 100)
    busy = mine + round(others * second * 100) + round(steal * second * 100)
    cpu = CpuTime(total, total - busy, round(steal * second * 100))
    return Sample(1000 + second, cpu, mine if second else None, **more)


def found(samples: list[Sample], span: Span | None = None, **setting: Any) -> list[tuple[Quality, str]]:
    span = span or Span()
    told = findings(samples, summary_of(samples, (), span), span, Setting(**setting))
    return [(one.quality, one.evidence) for one in told]


def test_a_device_of_its_own_has_no_findings():
    assert found([at(0), at(1), at(2, others=0.01)]) == []


@pytest.mark.parametrize(
    ("cores", "others", "is_busy"),
    [(1, 0.01, False), (1, 0.06, True), (2, 0.03, False), (2, 0.07, True), (4, 0.05, False), (64, 0.15, False),
     (64, 0.3, True)],
)  # fmt: skip
def test_busy_is_2_per_cent_of_a_device_and_at_most_a_fifth_of_a_core(cores, others, is_busy):
    samples = [at(second, own=0.9, others=others, cores=cores) for second in (0, 4)]
    assert [quality for quality, _ in found(samples)] == [Quality.BUSY] * is_busy


def test_a_round_on_all_cores_of_a_server_is_not_busy_by_the_way_in_which_the_kernel_counts():
    """Half a per cent of 64 cores is more than a fifth of one."""
    assert found([at(0, own=63, cores=64), at(10, own=63, others=0.4, cores=64)]) == []


def test_a_jiffy_or_two_in_a_short_round_are_noise():
    assert found([at(0), at(0.3, others=0.1)]) == []
    assert found([at(0), at(0.3, others=1.0)])[0][0] is Quality.BUSY


def test_time_that_was_stolen_is_busy_too():
    ((quality, evidence),) = found([at(0), at(4, steal=0.05)])
    assert (quality, evidence) == (Quality.BUSY, "5 % of the time was stolen by other virtual machines")


def test_the_evidence_names_who_was_seen_just_before():
    ((_, evidence),) = found(
        [at(0), at(4, others=1.0)], before="before it make (process 7) used 98% of a core"
    )
    assert evidence == (
        "others used 1.00 of a core's time (more than 0.04); before it make (process 7) used 98% of a core"
    )


def test_a_round_that_is_too_short_to_tell_is_as_busy_as_the_device_was_before_it_and_a_long_one_is_not():
    before = "before it make used 98% of a core"
    assert found([at(0), at(0.05)], before=before)[0][0] is Quality.BUSY
    assert found([Sample(0.0), Sample(1.0)], before=before)[0][0] is Quality.BUSY
    assert found([at(0), at(4)], before=before) == []


# --------------------------------------------------------------------------- heat and frequency


def running(second: float, khz: int, celsius: float = 40.0, core: int = 1) -> Sample:
    return at(
        second,
        running=(core,),
        frequencies_khz=((core, khz), (0, 600_000)),
        temperatures_c=(("soc", celsius),),
    )


def test_a_device_that_counts_a_throttling_was_throttled():
    samples = [at(0, throttles=(("throttle:cpu0:core", 1),)), at(1, throttles=(("throttle:cpu0:core", 3),))]
    ((quality, evidence),) = found(samples)
    assert (quality, evidence) == (Quality.THROTTLED, "the device noted 2x that it was slowed down")


def test_slower_while_it_became_hotter_is_throttled_and_without_heat_the_frequency_changed():
    hot = [running(0, 2_400_000), running(1, 2_400_000, 60.0), running(2, 1_200_000, 75.0)]
    ((quality, evidence),) = found(hot)
    assert quality is Quality.THROTTLED
    assert evidence == "core 1 ran with 1200 MHz, and before or after with 2400 MHz; soc rose from 40 to 75 C"
    cool = [running(0, 2_400_000), running(1, 2_400_000), running(2, 1_200_000)]
    assert found(cool)[0][0] is Quality.FREQUENCY_DRIFT


def test_a_turbo_that_moves_a_little_is_no_drift():
    assert found([running(0, 4_700_000), running(1, 4_500_000), running(2, 4_400_000)]) == []


def test_what_the_cores_do_before_the_timed_part_does_not_count():
    samples = [running(0, 600_000), running(1, 600_000), running(2, 2_400_000), running(3, 2_400_000)]
    assert found(samples, Span(timed_s=1.5)) == []
    assert found(samples)[0][0] is Quality.FREQUENCY_DRIFT


def test_a_round_that_is_slow_from_its_start_shows_against_earlier_ones():
    assert found([running(0, 1_200_000), running(1, 1_200_000)]) == []
    evidence = found([running(0, 1_200_000), running(1, 1_200_000)], reached_khz={1: 2_400_000})
    assert evidence[0][0] is Quality.FREQUENCY_DRIFT


# --------------------------------------------------------------------------- placement

KINDS = {0: 0, 1: 0, 4: 1, 5: 1}


def on(*places: tuple[int, ...]) -> list[Sample]:
    return [at(i, running=cores) for i, cores in enumerate(places)]


def test_threads_that_move_within_a_cluster_stay_and_between_clusters_they_migrate():
    assert found(on((4,), (5,), (4,)), kinds=KINDS) == []
    ((quality, evidence),) = found(on((4,), (0,), (4,)), kinds=KINDS)
    assert quality is Quality.MIGRATED
    assert evidence == "threads moved between cores of different kinds: cores 0, 4"


def test_threads_that_use_all_clusters_all_the_time_do_not_migrate():
    assert found(on((0, 4), (1, 5), (0, 5)), kinds=KINDS) == []


def test_threads_off_the_cores_that_were_asked_for_have_migrated():
    ((quality, evidence),) = found(on((4,), (0,), (1,)), asked_cores=(4, 5))
    assert quality is Quality.MIGRATED
    assert evidence == "threads ran on cores 0, 1 in 2 of 3 looks, asked for was cores 4, 5"
    assert found(on((4,), (5,), (4,), (0,)), asked_cores=(4, 5)) == []  # once: it wrote its log, say


def test_one_look_shows_no_move():
    assert found(on((4,)), kinds=KINDS, asked_cores=(0,)) == []


# --------------------------------------------------------------------------- the round


def test_the_worst_finding_is_the_quality_and_all_are_the_evidence():
    samples = [at(0, throttles=(("throttle:a", 1),)), at(4, others=1.0, throttles=(("throttle:a", 2),))]
    told = findings(samples, summary_of(samples), Span(), Setting())
    result = judged(ROUND, told)
    assert result.quality is Quality.THROTTLED
    assert result.quality_evidence.count(";") == 1


@pytest.mark.parametrize("quality", [Quality.NO_TIMES, Quality.BAD_TIMES])
def test_a_round_without_times_stays_so_whatever_the_device_was_like(quality):
    samples = [at(0), at(4, others=1.0)]
    told = findings(samples, summary_of(samples), Span(), Setting())
    assert judged(replace(ROUND, quality=quality), told).quality is quality


def test_few_iterations_are_a_note_where_they_were_asked_for():
    few = replace(ROUND, quality=Quality.FEW_ITERATIONS, e2e_ms=(1.0,) * 3)
    asked = judged(few, (), iterations_asked=True)
    assert (asked.quality, asked.notes[0][:26]) == (Quality.OK, "3 iterations, as asked for")
    assert judged(few, ()) == few


@pytest.mark.parametrize(
    ("change", "is_repeated"),
    [
        ({"quality": Quality.BUSY}, True), ({"quality": Quality.THROTTLED}, True), ({"quality": Quality.OK}, False),
        ({"quality": Quality.NOT_STEADY}, True), ({"quality": Quality.NO_TIMES}, False),
        ({"quality": Quality.BUSY, "attempt": 1}, False),
        ({"quality": Quality.BUSY, "status": RoundStatus.FAILED}, False),
        ({"quality": Quality.BUSY, "kind": RoundKind.PROFILE}, False),
    ],
)  # fmt: skip
def test_a_round_that_may_be_better_is_repeated_once(change, is_repeated):
    assert needs_repeat(replace(ROUND, **change)) is is_repeated


def test_of_a_repeated_round_the_last_attempt_counts():
    again = replace(ROUND, attempt=1, value_ms=2.0, e2e_ms=(2.0,) * 10)
    other = replace(ROUND, index=1, value_ms=4.0, e2e_ms=(4.0,) * 10)
    fresh = replace(ROUND, phase=Phase.CONFIRM)
    assert last_attempts([ROUND, other, again, fresh]) == (again, other, fresh)
    assert summarise([ROUND, other, again]).median_ms == 3.0
