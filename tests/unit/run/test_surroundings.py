"""How long a round is held back, by a device that answers as it likes."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from farm.logs.processes import Process, Supervised
from farm.model.limits.cooling import Cooldown, cooldown
from farm.model.limits.deadlines import Deadlines
from farm.model.telemetry import CpuTime, Sample
from farm.run.measure import surroundings
from farm.run.measure.surroundings import Surroundings


@dataclass
class Device:
    """Answers with one sample after the other, the last for ever; `now` is its clock and everybody's."""

    samples: Iterable[Sample]
    now: float = 0.0
    asked: int = 0
    told: list[str] = field(default_factory=list)
    deadlines: Deadlines = Deadlines(idle_s=4.0)
    is_alone: bool = True
    jobs: tuple[Supervised, ...] = ()

    def __post_init__(self) -> None:
        *most, last = self.samples
        self._answers = itertools.chain(most, itertools.repeat(last))
        self._used = 0

    async def call(self, conversation: Callable[[Any], Awaitable[Any]]) -> Any:
        return await conversation(self)

    async def sense(self) -> Sample:
        self.asked += 1
        return next(self._answers)

    async def processes(self) -> dict[int, Process]:
        self._used += 90
        return {7: Process(7, "make", self._used), 8: Process(8, "sleep", 0)}

    async def others(self) -> tuple[Supervised, ...]:
        return self.jobs

    def around(self, limits: Cooldown = Cooldown()) -> Surroundings:  # noqa: B008 - frozen
        return Surroundings(self, limits, 2, self.told.append, lambda: self.now)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Callable[[Device], None]:
    """Time passes by the device's clock only."""
    clocks: list[Device] = []

    async def sleep(seconds: float) -> None:
        for one in clocks:
            one.now += seconds

    monkeypatch.setattr(surroundings, "asyncio", type("Clock", (), {"sleep": staticmethod(sleep)}))
    return clocks.append


def hot(*celsius: float) -> list[Sample]:
    return [Sample(float(i), temperatures_c=(("soc", one),)) for i, one in enumerate(celsius)]


def used(*cores: float) -> list[Sample]:
    """One second each, in which others used so many of two cores."""
    busy = [0, *itertools.accumulate(round(one * 100) for one in cores)]
    return [Sample(float(i), CpuTime(1000 + 200 * i, 1000 + 200 * i - one, 0)) for i, one in enumerate(busy)]


async def test_a_cool_device_is_not_asked_again(quick: Any) -> None:
    device = Device(hot(40.0))
    quick(device)
    around = device.around()
    await around.begin()
    around.after(hot(40.0, 44.0))
    await around.before()
    assert (device.asked, device.now, around.waited_s, device.told) == (1, 0.0, 0.0, [])


async def test_a_hot_one_is_asked_until_it_is_as_cool_as_it_was(quick: Any) -> None:
    device = Device(hot(40.0, 58.0, 50.0, 45.0))
    quick(device)
    around = device.around()
    await around.begin()
    around.after(hot(40.0, 61.0))
    await around.before()
    assert (around.waited_s, device.told) == (
        3.0,
        ["cooling 61 -> 45 C", "cooling 58 -> 45 C", "cooling 50 -> 45 C"],
    )


async def test_a_temperature_that_is_asked_for_is_waited_for_before_the_first_round_too(quick: Any) -> None:
    device = Device(hot(60.0, 50.0, 41.0))
    quick(device)
    around = device.around(cooldown("42C,60s"))
    await around.begin()
    await around.before()
    assert around.waited_s == 2.0


async def test_a_sensor_that_is_frozen_costs_one_wait_and_no_second_one(quick: Any) -> None:
    device = Device(hot(90.0))
    quick(device)
    around = device.around(cooldown("42C,10s"))
    await around.begin()
    await around.before()
    assert around.waited_s == 10.0
    assert device.told[-1] == "still 90 C after 10 s of cooling: measured all the same"
    await around.before()
    assert around.waited_s == 0.0


@pytest.mark.parametrize("samples", [hot(40.0), [Sample(0.0)]])
async def test_nothing_is_waited_for_where_cooling_is_off_or_no_sensor_is_there(
    quick: Any, samples: Any
) -> None:
    device = Device(samples)
    quick(device)
    around = device.around(cooldown("off") if samples[0].temperatures_c else Cooldown())
    await around.begin()
    around.after(hot(40.0, 90.0))
    await around.before()
    assert around.waited_s == 0.0


async def test_an_idle_device_is_looked_at_once_and_later_rounds_speak_for_it(quick: Any) -> None:
    device = Device(used(*[0.0] * 20))
    quick(device)
    around = device.around()
    await around.begin()
    await around.before()
    assert (device.now, around.busy) == (0.0, None)
    asked = device.asked
    around.after([Sample(0.0, CpuTime(0, 0, 0)), Sample(1.0, CpuTime(200, 100, 0), own=100)])
    device.now += 1.0
    await around.before()
    assert device.asked == asked


async def test_a_busy_device_is_waited_for_until_its_neighbour_ends(quick: Any) -> None:
    device = Device(used(1.0, 1.0, 1.0, 0.0, 0.0))
    quick(device)
    around = device.around()
    await around.begin()
    await around.before()
    assert around.busy is None
    assert 0 < around.waited_s < 4.0
    assert "waiting until it is idle" in device.told[0]


async def test_a_device_that_is_never_idle_costs_less_each_time_and_names_who_it_is(quick: Any) -> None:
    device = Device(used(*[1.0] * 100))
    quick(device)
    around = device.around()
    await around.begin()
    waits = []
    for _ in range(5):
        await around.before()
        waits.append(around.waited_s)
    assert waits[0] == 4.0
    assert sum(waits) < 10
    assert around.busy is not None
    assert "make (process 7) used" in around.busy
    assert "sleep" not in around.busy


async def test_a_device_that_does_not_tell_is_not_asked(quick: Any) -> None:
    device = Device([Sample(0.0)])
    quick(device)
    around = device.around()
    await around.begin()
    await around.before()
    assert (device.asked, around.busy) == (1, None)


@pytest.mark.parametrize("text", ["", "45", "hot", "45C,", "-1C", "999C", "45C;60s", "1e9s"])
def test_a_cool_down_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cool-down"):
        cooldown(text)


def test_a_cool_down_has_a_temperature_a_time_or_both() -> None:
    assert cooldown("45C") == Cooldown(45.0, 30.0)
    assert cooldown(" 0.5s") == Cooldown(None, 0.5)
    assert cooldown("45C, 60s") == Cooldown(45.0, 60.0)
    assert not cooldown("off").is_on


@pytest.mark.parametrize("is_alone", [True, False])
async def test_a_job_of_another_workdir_is_named_where_no_lock_keeps_it_out(is_alone: bool, quick: Any):
    device = Device(used(0.0, 0.0), is_alone=is_alone, jobs=(Supervised("/home/bob/farm", "r1-0-tiny"),))
    quick(device)
    around = device.around()
    await around.begin()
    await around.before()
    assert around.busy == (None if is_alone else "before it job r1-0-tiny of /home/bob/farm ran")
