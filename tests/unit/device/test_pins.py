"""What a pin of the inventory means on a device, and what is told of it."""

from __future__ import annotations

import pytest

from farm.device.settings.left import Left
from farm.device.settings.pins import Pinned, Refusal, Wanted, held, outcome, wanted
from farm.model.device import Address, CoreCluster, Device, Extreme, Facts, Pin, Runtime, RuntimeKind

CPU = "devices/system/cpu"
DEVICE = Device("d", Address("h"), Runtime(RuntimeKind.WHEEL), cores=(("fast", (1,)),))
FACTS = Facts(
    core_ids=(0, 1),
    governors=((0, "schedutil"), (1, "schedutil")),
    available_governors=("performance", "schedutil"),
    min_frequency_khz=((0, 600_000), (1, 800_000)),
    max_frequency_khz=((0, 1_800_000), (1, 2_400_000)),
    clusters=(CoreCluster((0,)), CoreCluster((1,))),
    turbo=True,
)


def pairs(pin: Pin, facts: Facts = FACTS) -> list[tuple[str, str]]:
    return [(one.path.removeprefix(f"{CPU}/"), one.value) for one in wanted(pin, DEVICE, facts).settings]


def test_a_governor_is_of_all_cores_or_of_those_that_are_named() -> None:
    both = [(f"cpu{core}/cpufreq/scaling_governor", "performance") for core in (0, 1)]
    assert pairs(Pin("performance")) == both
    for cores in ("fast", "big", "1"):
        assert pairs(Pin("performance", cores=cores)) == both[1:]
    assert pairs(Pin("performance", cores="0-1")) == pairs(Pin("performance", cores="all")) == both


def test_a_frequency_that_one_of_the_cores_does_not_have_is_set_on_none() -> None:
    found = wanted(Pin(frequency_khz=700_000), DEVICE, FACTS)  # core 0 has it
    assert found.settings == ()
    assert found.refused == ("frequency not pinned: core 1 does 800000 to 2400000 kHz, not 700000",)


@pytest.mark.parametrize(
    ("khz", "low", "high"),
    [
        (Extreme.MIN, "600000", "800000"),
        (Extreme.MAX, "1800000", "2400000"),
        (1_000_000, "1000000", "1000000"),
    ],
)
def test_on_the_way_to_a_frequency_no_limit_crosses_the_other(
    khz: int | Extreme, low: str, high: str
) -> None:
    names = ("scaling_min_freq", "scaling_max_freq", "scaling_min_freq")
    expected = [
        (f"cpu{core}/cpufreq/{name}", value)
        for core, lowest, value_of in ((0, "600000", low), (1, "800000", high))
        for name, value in zip(names, (lowest, value_of, value_of), strict=True)
    ]
    assert pairs(Pin(frequency_khz=khz)) == expected


def test_turbo_has_the_switch_of_its_driver() -> None:
    assert pairs(Pin(turbo=False)) == [("cpufreq/boost", "0")]
    intel = Facts(turbo=True, frequency_driver="intel_pstate")
    assert pairs(Pin(turbo=False), intel) == [("intel_pstate/no_turbo", "1")]
    assert pairs(Pin(turbo=True), intel) == [("intel_pstate/no_turbo", "0")]


@pytest.mark.parametrize(
    ("pin", "facts", "says"),
    [
        (Pin("powersave"), FACTS, "no governor powersave (it has performance, schedutil)"),
        (Pin("performance"), Facts(), "governor not pinned: the device does not let anyone set frequencies"),
        (Pin(frequency_khz=3_000_000), FACTS, "core 0 does 600000 to 1800000 kHz, not 3000000"),
        (
            Pin(frequency_khz=Extreme.MAX),
            Facts(governors=((0, "x"),)),
            "core 0 does not say which frequencies",
        ),
        (Pin(turbo=True), Facts(), "turbo not pinned: the device has no switch"),
        (Pin("performance", cores="7"), FACTS, "no frequency to set of core 7"),
        (Pin("performance", cores="mid"), FACTS, "two kinds of core"),
    ],
)
def test_what_a_device_has_not_is_told_and_not_tried(pin: Pin, facts: Facts, says: str) -> None:
    asked = wanted(pin, DEVICE, facts)
    assert asked.settings == ()
    assert says in outcome(asked, ()).refused[0]


def test_one_part_that_cannot_be_set_does_not_keep_the_others_from_it() -> None:
    asked = wanted(Pin("performance", 1_000_000, turbo=True), DEVICE, FACTS)
    path = f"{CPU}/cpu1/cpufreq/scaling_max_freq"
    told = outcome(asked, [Refusal(path, "1000000", "no \x1b[31mright"), Refusal("elsewhere", "1", "?")])
    assert told == Pinned(
        ("governor performance (cores 0-1)", "frequency 1000000 kHz (cores 0)", "turbo on"),
        ("frequency not pinned: no <U+001B>[31mright (cores 1)",),
    )
    assert outcome(asked, [Refusal(f"{CPU}/cpufreq/boost", "1", "")]).refused == (
        "turbo not pinned: the device does not say why",
    )


def test_a_number_belongs_to_what_holds_while_it_is_measured() -> None:
    asked = wanted(Pin("performance", 1_000_000, turbo=False), DEVICE, FACTS)
    refused = [Refusal(f"{CPU}/cpu1/cpufreq/scaling_governor", "performance", "no")]
    now = held(asked, refused, FACTS)
    assert now.governors == ((0, "performance"), (1, "schedutil"))
    assert now.frequency_limits_khz == ((0, 1_000_000), (1, 1_000_000))
    assert now.turbo is False
    assert held(Wanted(()), (), FACTS) == FACTS


def test_what_is_left_is_told_in_one_line() -> None:
    left = Left("bench\nof ann", f"{CPU}/cpu0/cpufreq/scaling_governor", "schedutil", "gone")
    assert left.text.startswith("cpu0/cpufreq/scaling_governor, changed by bench")
    assert "\n" not in left.text
