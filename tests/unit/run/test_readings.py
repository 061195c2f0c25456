"""What is read beside the log of a round."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.analysis.steady import EXACT_RESOLUTION_MS, RESOLUTION_MS, resolution_ms, round_value
from farm.model.device import Address, Device, Facts, Gpu, Runtime, RuntimeKind
from farm.model.matrix import Round, RoundKind
from farm.model.measurement import Measurement
from farm.model.run import Quality
from farm.options import parse
from farm.run.measure.readings import Readings, asked_for, read_readings, with_exact_times

PRINTED = Measurement(e2e_ms=(0.038, 0.039), host_ms=(0.03, 0.031), complete=True)


def test_exact_times_take_the_place_of_those_that_they_are() -> None:
    measurement, note = with_exact_times(PRINTED, ((38_421, 30_012), (38_500, 30_501)))
    assert (measurement.e2e_ms, measurement.host_ms, note) == ((0.038421, 0.0385), (0.030012, 0.030501), None)


@pytest.mark.parametrize(
    "exact",
    [
        ((38_421, 30_012),),
        ((38_421, 30_012), (41_000, 30_501)),
        ((38_421, 30_012), (38_600, 99_000)),
        ((0, 0),) * 3,
    ],
)
def test_exact_times_of_something_else_are_a_note(exact: tuple[tuple[int, int], ...]) -> None:
    measurement, note = with_exact_times(PRINTED, exact)
    assert measurement == PRINTED
    assert "does not agree with the log" in str(note)


def test_without_exact_times_there_is_nothing_to_say() -> None:
    assert with_exact_times(PRINTED, ()) == (PRINTED, None)


def test_a_steady_round_of_microseconds_is_judged_by_what_its_clock_tells_apart() -> None:
    """Printed, 0.038 and 0.039 are the same; measured, a fall of 2.5 % is none of noise."""
    printed = [0.039] * 10 + [0.038] * 10
    exact = [0.0390001] * 10 + [0.0380001] * 10
    assert (resolution_ms(printed), resolution_ms(exact)) == (RESOLUTION_MS, EXACT_RESOLUTION_MS)
    assert round_value(printed)[1] is Quality.OK
    assert round_value(exact) == (0.0380001, Quality.OK)


NVIDIA = Facts(gpus=(Gpu("T4", compute_capability="7.5"),))


@pytest.mark.parametrize(
    ("kind", "runtime", "facts", "words", "names"),
    [
        (RoundKind.TIMED, RuntimeKind.WHEEL, Facts(), (), ["FARM_TIMES"]),
        (RoundKind.TIMED, RuntimeKind.WHEEL, Facts(), ("--thread=2",), []),
        (RoundKind.PROFILE, RuntimeKind.WHEEL, NVIDIA, ("--cuda",), []),
        (RoundKind.TIMED, RuntimeKind.NATIVE, NVIDIA, ("--cuda",), ["FARM_GPU"]),
        (RoundKind.TIMED, RuntimeKind.NATIVE, NVIDIA, (), []),
        (RoundKind.TIMED, RuntimeKind.NATIVE, Facts(gpus=(Gpu("Mali"),)), ("--cuda",), []),
    ],
)
def test_a_round_is_asked_for_what_it_can_tell(
    kind: RoundKind, runtime: RuntimeKind, facts: Facts, words: tuple[str, ...], names: list[str]
) -> None:
    device = Device("d", Address("h"), Runtime(runtime))
    assert [name for name, _ in asked_for(device, facts, Round(kind, 0, parse(list(words))))] == names


def test_files_that_are_none_of_text_are_read_as_far_as_they_make_sense(tmp_path: Path) -> None:
    for name in ("telemetry", "gpu-telemetry", "exact-times"):
        (tmp_path / name).write_bytes(b"\xff\x00\n" * 100)
    assert (
        read_readings({name: tmp_path / name for name in ("telemetry", "gpu-telemetry", "exact-times")})
        == Readings()
    )
    assert read_readings({}) == Readings()
