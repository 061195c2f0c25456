"""A device that moves alone is named; what moves with its class, or for a single night, is not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from farm.history.nouns import Point, Series, SeriesKey
from farm.model.device import Facts, Gpu
from farm.nightly.drift import Drift, drifting, kind_of

DEVICES = tuple(f"arm-{number}" for number in range(1, 6))
KINDS = dict.fromkeys(DEVICES, "aarch64 rk3588")
NIGHTS = 20
DAY_S = 86_400.0
Factor = Callable[[str, int], float]


def nights(
    factor: Factor, devices: Sequence[str] = DEVICES, *, cells: int = 4, noise: float = 0.01
) -> list[Series]:
    """Each device has a level of its own, which `factor` moves by device and night."""
    draw = random.Random(7)
    made = []
    for device in devices:
        for cell in range(cells):
            level = draw.uniform(5, 50)
            points = tuple(
                Point(f"n{night:02d}", night * DAY_S, "", "completed",
                      median_ms=level * factor(device, night) * (1 + draw.gauss(0, noise)))
                for night in range(NIGHTS)
            )  # fmt: skip
            made.append(Series(SeriesKey(device, f"m{cell}", "fp32", "inventory"), points))
    return made


def judged(factor: Factor, **more) -> dict[str, Drift | None]:
    return drifting(nights(factor, **more), KINDS, f"n{NIGHTS - 1:02d}", 0.03)


def named(found: dict[str, Drift | None]) -> list[str]:
    return [name for name, one in found.items() if one]


def test_a_device_that_is_slower_than_its_class_is_named_with_what_is_known() -> None:
    found = judged(lambda device, night: 1.08 if device == "arm-3" and night >= NIGHTS - 2 else 1.0)
    assert set(found) == set(DEVICES)
    assert named(found) == ["arm-3"]
    one = found["arm-3"]
    assert one.ratio == pytest.approx(1.08, abs=0.015)
    assert (one.cells, one.nights, one.devices) == (4, 18, 5)
    assert one.sentence.startswith("arm-3 is ")
    assert (
        "slower against its class (aarch64 rk3588, 5 devices) than in the 18 nights before, in 4 cells"
        in one.sentence
    )


def test_one_that_is_faster_is_named_too() -> None:
    assert named(judged(lambda device, night: 0.9 if device == "arm-3" and night >= NIGHTS - 2 else 1.0)) == [
        "arm-3"
    ]


@pytest.mark.parametrize("first", [0, 10, NIGHTS - 2, NIGHTS - 1])
def test_a_build_that_is_slower_everywhere_is_no_drift(first: int) -> None:
    assert named(judged(lambda _, night: 1.2 if night >= first else 1.0)) == []


@pytest.mark.parametrize("hot", [NIGHTS - 1, NIGHTS - 2, NIGHTS - 5])
def test_a_single_hot_night_is_no_drift(hot: int) -> None:
    assert named(judged(lambda device, night: 1.3 if device == "arm-3" and night == hot else 1.0)) == []


def test_of_a_noisy_device_a_small_step_is_no_drift() -> None:
    step = lambda device, night: 1.05 if device == "arm-3" and night >= NIGHTS - 2 else 1.0  # noqa: E731
    assert named(judged(step, cells=1, noise=0.05)) == []


def test_one_of_three_is_named_and_not_the_others() -> None:
    made = nights(
        lambda device, night: 1.2 if device == "arm-1" and night >= NIGHTS - 2 else 1.0, DEVICES[:3]
    )
    assert named(drifting(made, KINDS | dict.fromkeys(DEVICES[3:], "x86"), "n19", 0.03)) == ["arm-1"]


def test_of_two_that_part_nobody_knows_which_one_moved() -> None:
    made = nights(
        lambda device, night: 1.2 if device == "arm-1" and night >= NIGHTS - 2 else 1.0, DEVICES[:2]
    )
    assert drifting(made, dict.fromkeys(DEVICES[:2], "a"), "n19", 0.03) == {}


def test_a_device_of_another_class_has_no_say() -> None:
    kinds = KINDS | dict.fromkeys(("arm-4", "arm-5"), "x86_64")
    found = drifting(nights(lambda device, _: 9.0 if device > "arm-3" else 1.0), kinds, "n19", 0.03)
    assert set(found) == {"arm-1", "arm-2", "arm-3"}


def test_nothing_is_said_of_a_device_that_was_not_measured_tonight_or_hardly_ever() -> None:
    made = nights(lambda *_: 1.0)
    short = [Series(one.key, one.points[-7:]) if one.key.device == "arm-1" else one for one in made]
    away = [Series(one.key, one.points[:-1]) if one.key.device == "arm-2" else one for one in short]
    assert set(drifting(away, KINDS, "n19", 0.03)) == {"arm-3", "arm-4", "arm-5"}


def test_times_of_another_model_file_are_another_series() -> None:
    def renewed(point: Point) -> Point:
        digest = "new" if point.started_s >= (NIGHTS - 2) * DAY_S else "old"
        return Point(
            point.run, point.started_s, "", point.status, median_ms=point.median_ms, context={"model": digest}
        )

    made = nights(lambda device, night: 1.5 if device == "arm-1" and night >= NIGHTS - 2 else 1.0)
    made = [Series(one.key, tuple(map(renewed, one.points))) for one in made]
    assert drifting(made, KINDS, "n19", 0.03) == {}


def since_night(first: int, device: str = "arm-3", slower: float = 1.08) -> Factor:
    return lambda name, night: slower if name == device and night >= first else 1.0


def test_a_drift_that_lasts_is_never_told_as_over_and_one_that_is_over_is() -> None:
    """Eight good nights, then twelve that are slower: by themselves they would become what is usual."""
    lasting = nights(since_night(8), noise=0.003)
    told = {"arm-3": "n09"}
    for night in range(9, NIGHTS):
        assert named(drifting(lasting, KINDS, f"n{night:02d}", 0.03, told)) == ["arm-3"], night
    back = nights(
        lambda name, night: 1.08 if name == "arm-3" and 8 <= night < NIGHTS - 2 else 1.0, noise=0.003
    )
    assert named(drifting(back, KINDS, "n18", 0.03, told)) == ["arm-3"]
    found = drifting(back, KINDS, "n19", 0.03, told)
    assert found["arm-3"] is None


def test_two_runs_of_one_hot_evening_are_one_night() -> None:
    def evening(one: Series) -> Series:
        *rest, last = one.points
        twice = Point("again", last.started_s - 3600, "", last.status, median_ms=last.median_ms)
        return Series(one.key, (*rest, twice, last))

    hot = [evening(one) for one in nights(since_night(NIGHTS - 1, slower=1.3))]
    assert named(drifting(hot, KINDS, "n19", 0.03)) == []


def test_runs_with_other_options_are_passed_over() -> None:
    def tuned(one: Series) -> Series:
        mine = [
            Point(p.run, p.started_s, "", p.status, median_ms=p.median_ms, context={"options": "a"})
            for p in one.points
        ]
        other = Point(
            "tune", mine[-2].started_s + 50_000, "", "completed", median_ms=0.1, context={"options": "b"}
        )
        return Series(one.key, (*mine[:-1], other, mine[-1]))

    made = [tuned(one) for one in nights(since_night(NIGHTS - 2))]
    assert named(drifting(made, KINDS, "n19", 0.03)) == ["arm-3"]


@pytest.mark.parametrize("odd", [0.0, -1.0, float("nan"), float("inf"), 1e300, None])
def test_a_time_that_cannot_be_one_is_left_out(odd: float | None) -> None:
    def broken(one: Series) -> Series:
        if one.key.device != "arm-1":
            return one
        last = one.points[-1]
        return Series(
            one.key, (*one.points[:-1], Point(last.run, last.started_s, "", "completed", median_ms=odd))
        )

    found = drifting([broken(one) for one in nights(lambda *_: 1.0)], KINDS, "n19", 0.03)
    assert set(found) == set(DEVICES) - {"arm-1"}


def test_a_class_is_architecture_chip_and_gpus() -> None:
    assert kind_of(Facts(architecture="aarch64", soc="rk3588", cpu_model="A76")) == "aarch64 rk3588"
    assert (
        kind_of(Facts(architecture="x86_64", cpu_model="EPYC", gpus=(Gpu("T4"), Gpu("A2"))))
        == "x86_64 EPYC A2 T4"
    )
    assert kind_of(Facts(architecture="aarch64")) is None
    assert kind_of(None) is None
