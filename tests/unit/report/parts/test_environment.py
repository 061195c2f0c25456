"""The environment table says how a device was, in words that can be compared."""

from __future__ import annotations

from typing import Any

from farm.model.device import CoreCluster, Facts, Gpu, PowerSupply, RuntimeKind
from farm.model.run import DeviceRecord
from farm.report.parts.environment import compose_environment


def told(facts: Facts, **fields: Any) -> dict[str, str]:
    record = DeviceRecord("d", "a", RuntimeKind.NATIVE, facts=facts, **fields)
    return {row.label: row.texts[0] for group in compose_environment([record]).groups for row in group.rows}


def test_kinds_of_cores_are_told_with_the_fastest_first() -> None:
    kinds = (CoreCluster((0, 1), "Cortex-A55", 400, 1_800_000), CoreCluster((2,), None, 1024))
    assert told(Facts(clusters=kinds))["kinds of cores"] == "1x core (2), 2x Cortex-A55 (0-1, 1.80 GHz)"
    assert "kinds of cores" not in told(Facts(clusters=kinds[:1]))


def test_limits_and_power_are_told_where_there_are_any() -> None:
    supplies = (
        PowerSupply("AC", "Mains", is_online=True),
        PowerSupply("BAT0", "Battery", status="Discharging", capacity_percent=54),
        PowerSupply("BAT1", "Battery"),
        PowerSupply("usb", "USB", is_online=False),
    )
    facts = Facts(
        core_ids=(0, 1, 2),
        cpuset=(0, 1),
        cpu_limit_cores=1.5,
        memory_limit_bytes=2 << 30,
        max_frequency_khz=((0, 2_000_000), (1, 2_000_000)),
        frequency_limits_khz=((0, 1_000_000), (1, 2_000_000)),
        power_supplies=supplies,
        turbo=False,
        smt=True,
        unreadable=("temperature of odd",),
    )
    rows = told(facts, pinned=("governor performance",), not_pinned=("turbo not pinned: no",))
    assert rows["limits of the control group"] == "1.5 cores' time, cores 0-1, 2.0 GiB"
    assert rows["frequency limit"] == "1.00 GHz"
    assert rows["power"] == "mains; battery 54 %, discharging; battery"
    assert (rows["turbo"], rows["threads share cores"]) == ("off", "yes")
    assert rows["unreadable"] == "temperature of odd"
    assert (rows["pinned for the rounds"], rows["not pinned"]) == (
        "governor performance",
        "turbo not pinned: no",
    )
    assert not {"turbo", "power", "not restored", "unreadable", "frequency limit"} & set(told(Facts()))


def test_the_state_of_a_gpu_is_told_as_far_as_it_is_known() -> None:
    hot = Gpu(
        "T4",
        "470",
        "7.5",
        16 << 30,
        1 << 30,
        300,
        1590,
        405,
        "P8",
        False,
        84,
        70.1,
        70.0,
        ("idle", "software-thermal"),
    )
    rows = told(Facts(gpus=(hot, Gpu("K80"))))
    assert rows["GPU"] == "T4, driver 470, compute 7.5, 16.0 GiB; K80"
    assert rows["GPU state"] == (
        "P8, 300 of 1590 MHz, memory 405 MHz, 1.0 GiB in use, 84 °C, 70 W, no persistence mode, "
        "held down: software-thermal"
    )
