"""Each rule of health holds where it should, and says what to do; a healthy device has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.binaries.read import Binary, Form
from farm.device.agent import Held
from farm.device.settings.left import Left
from farm.device.settings.pins import Refusal
from farm.model.device import (
    Address,
    Device,
    Facts,
    Pin,
    Power,
    PowerSupply,
    Python,
    Runtime,
    RuntimeKind,
)
from farm.model.limits.cooling import Cooldown
from farm.plan.programs import LocalFile
from farm.run.devices.check import clock_off_s, with_twins
from farm.run.health.nouns import Finding, Look, Severity, Slower, Trouble
from farm.run.health.rules import RULES, findings_of, worst
from farm.run.health.troubles import CAUSES
from farm.store.notes.quarantine import BY_CHECK, BY_HAND, Quarantine

GIB = 1 << 30
FACTS = Facts(
    architecture="x86_64",
    system="Linux",
    libc="glibc 2.36",
    core_ids=(0, 1, 2, 3),
    governors=tuple((core, "performance") for core in range(4)),
    available_governors=("performance", "powersave"),
    memory_bytes=8 * GIB,
    memory_available_bytes=6 * GIB,
    disk_bytes=100 * GIB,
    disk_free_bytes=60 * GIB,
    load_average_1m=0.1,
    temperatures_c=(("soc", 45.0), ("gpu", 41.0)),
    pythons=(Python("/usr/bin/python3", (3, 11, 2)),),
    shell="dash",
    tools=("setsid", "timeout", "sha256sum"),
    power_supplies=(PowerSupply("BAT0", "Battery", status="Discharging", capacity_percent=80),
                    PowerSupply("AC", "Mains", is_online=True)),
    boot_id="b1",
    machine="m1",
)  # fmt: skip
DEVICE = Device("arm-1", Address("10.0.0.11", 22, "bench"), Runtime(RuntimeKind.WHEEL))
PINNED = replace(DEVICE, pin=Pin(governor="performance"))
NATIVE = replace(DEVICE, runtime=Runtime(RuntimeKind.NATIVE, "builds/load_and_run"))
HEALTHY = Look(DEVICE, FACTS, clock_off_s=0.0)
GONE = LocalFile(
    "runtime.program", Path("builds/load_and_run"), Binary(Form.OTHER, damage="it cannot be read: no")
)
LEFT = Left("bench of ann", "devices/system/cpu/cpu9/cpufreq/scaling_governor", "schedutil", "gone")
REFUSED = Refusal("devices/system/cpu/cpu0/cpufreq/scaling_governor", "", "no right to write it")
HELD = Held("ann@lab pid 7 run r", 1_000_000_004, 3600, 2, 120)
QUARANTINE = Quarantine("arm-1", "fan is loud", "2026-01-01", "2026-02-01T00:00:00+00:00", BY_HAND)


def seen(**facts: Any) -> Look:
    return replace(HEALTHY, facts=replace(FACTS, **facts))


def failed(cause: str, **more: Any) -> Look:
    return Look(DEVICE, trouble=Trouble(cause, "connect", "it said no", "ask somebody"), **more)


ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
HOLDS: list[tuple[str, Severity, Look, str, str]] = [
    ("unreachable", ERROR, failed("unreachable"), "connect: it said no", "ssh -p 22 bench@10.0.0.11 true"),
    ("unreachable", ERROR, failed("no-reply"), "it said no", "switch it off and on again"),
    ("address", ERROR, failed("name-unknown"), "it said no", "correct address: of arm-1"),
    ("key-refused", ERROR, failed("key-refused"), "it said no", "farm devices provision arm-1 --task user"),
    ("host-key", ERROR, failed("host-key-unknown"), "it said no", "farm devices trust arm-1"),
    ("host-key-changed", ERROR, failed("host-key-changed"), "it said no", "farm devices trust arm-1 --replace"),
    ("tools", ERROR, failed("no-tool"), "it said no", "farm devices provision arm-1 --task packages"),
    ("workdir", ERROR, failed("unwritable"), "it said no", "farm devices provision arm-1 --task workdir"),
    ("disk-full", ERROR, failed("disk-full"), "it said no", "farm devices clean arm-1 --yes"),
    ("shell", ERROR, failed("protocol"), "it said no", "login shell"),
    ("failed", ERROR, failed("identity-locked"), "it said no", "ask somebody"),
    ("runtime", ERROR, seen(architecture="aarch64"), "wheel runtime", "kind: native"),
    ("runtime", ERROR, seen(pythons=()), "no CPython >= 3.6", "farm devices provision arm-1 --task packages"),
    ("runtime", ERROR, seen(pythons=(Python("/p", (3, 5, 9)),)), "found: /p 3.5.9", "install python3"),
    ("runtime", ERROR, replace(HEALTHY, device=NATIVE, files=(GONE,)), "runtime.program: ", "runtime.program"),
    (
        "runtime-of-inventory", WARNING, replace(HEALTHY, device=NATIVE, files=(GONE,), has_builds=True),
        "without a --build", "runtime.program",
    ),
    ("disk", WARNING, seen(disk_free_bytes=GIB // 2), "nearly full, 536.9 MB of 107.4 GB left", "farm devices clean arm-1"),
    ("memory", WARNING, seen(memory_available_bytes=100 << 20), "100.0 MiB of 8.0 GiB", "top"),
    ("clock", WARNING, replace(HEALTHY, clock_off_s=-3600.0), "an hour behind", "timedatectl"),
    ("clock", WARNING, replace(HEALTHY, clock_off_s=60.0), "a minute before", "timedatectl"),
    ("odd-shell", WARNING, seen(shell="/bin/ksh93"), "ksh93", "farm devices provision arm-1 --task packages"),
    ("no-timeout", WARNING, seen(tools=("setsid",)), "`timeout`", "farm devices provision arm-1 --task packages"),
    ("hot", WARNING, seen(temperatures_c=(("a", 40.0), ("soc", 91.4))), "soc shows 91 C", "cooling"),
    (
        "hot", WARNING, replace(HEALTHY, device=replace(DEVICE, cooldown=Cooldown(to_c=40))),
        "soc shows 45 C", "{to_c: 40}",
    ),
    ("battery", WARNING, seen(power_supplies=FACTS.power_supplies[:1]), "80 %", "plug it in"),
    ("sensors", WARNING, seen(unreadable=("temperature of soc",)), "unreadable: temperature of soc", "boards.md"),
    (
        "governor", WARNING, replace(HEALTHY, device=PINNED, forbidden=(REFUSED,)),
        "scaling_governor, which the inventory pins: no right to write it", "farm devices provision arm-1 --task governor",
    ),
    (
        "pin", WARNING, replace(HEALTHY, device=replace(DEVICE, pin=Pin(governor="ondemand"))),
        "no governor ondemand", "correct pin:",
    ),
    ("settings", WARNING, replace(HEALTHY, left=(LEFT,)), "could not be restored to schedutil", "--task governor"),
    ("one-machine", WARNING, replace(HEALTHY, twins=("arm-2", "arm-3")), "arm-2, arm-3", "leave one of them"),
    (
        "held-long", WARNING, replace(HEALTHY, held=replace(HELD, held_s=200_000)),
        "held by ann@lab pid 7 run r for 2 days", "farm devices release arm-1",
    ),
    ("holder-gone", NOTE, replace(HEALTHY, held=HELD, is_holder_gone=True), "takes it over", "farm devices release arm-1 --yes"),
    ("quarantine", NOTE, replace(HEALTHY, quarantine=QUARANTINE), "fan is loud", "farm devices restore arm-1"),
    (
        "slower", WARNING, replace(HEALTHY, slower=Slower(1.123, 4, 20, ("governor: performance and powersave",))),
        "12.3% slower than in 20 runs before", "farm history",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "severity", "look", "text", "todo"), HOLDS, ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_rule_holds_of_what_it_is_about_and_says_what_to_do(
    rule: str, severity: Severity, look: Look, text: str, todo: str
) -> None:
    (found,) = findings_of(look)
    assert (found.rule, found.severity) == (rule, severity)
    assert text in found.text
    assert todo in found.todo


def test_each_rule_is_tried_here() -> None:
    assert {rule for rule, *_ in HOLDS} == {rule.name for rule in RULES}


QUIET: list[Look] = [
    HEALTHY,
    Look(DEVICE, Facts(pythons=FACTS.pythons)),  # a device that tells nothing
    replace(HEALTHY, clock_off_s=None),
    replace(HEALTHY, clock_off_s=59.9),
    replace(HEALTHY, held=HELD),
    replace(HEALTHY, held=HELD, facts=replace(FACTS, temperatures_c=(("soc", 95.0),))),  # it works
    seen(temperatures_c=(("soc", 95.0),), load_average_1m=3.5),
    seen(disk_bytes=None),
    seen(disk_bytes=0, disk_free_bytes=0),
    seen(memory_bytes=0, memory_available_bytes=0),
    seen(memory_bytes=512 << 20, memory_available_bytes=100 << 20),  # a small board
    seen(tools=(), shell=None),
    replace(HEALTHY, quarantine=replace(QUARANTINE, by=BY_CHECK)),  # this check ends it
]


@pytest.mark.parametrize("look", QUIET)
def test_nothing_is_found_where_nothing_is_wrong_or_nothing_is_known(look: Look) -> None:
    assert findings_of(look) == ()


def test_one_that_can_be_switched_is_to_be_cycled() -> None:
    device = replace(DEVICE, power=Power(cycle=("pdu",)))
    (found,) = findings_of(replace(failed("timed-out"), device=device))
    assert "farm devices power arm-1 cycle" in found.todo


def test_no_word_of_a_device_is_in_what_is_to_be_typed() -> None:
    evil = "x; rm -rf ~ {name} {0}\x1b[31m\n"
    left = Left(evil, evil, evil, evil)
    facts = replace(
        FACTS, shell=evil, unreadable=(evil,), architecture=evil, temperatures_c=((evil, 99.0),),
        pythons=(Python(evil, (2, 7, 0)),),
    )  # fmt: skip
    look = replace(
        HEALTHY, facts=facts, left=(left,) * 50, held=replace(HELD, holder=evil, held_s=10**9 - 1),
        forbidden=(Refusal(evil, evil, evil),), slower=Slower(1e9, 1, 9, (evil,)),
    )  # fmt: skip
    found = findings_of(look)
    assert len(found) > 25
    assert sum(one.rule == "settings" for one in found) == 20
    assert all("rm -rf" not in one.todo and "\n" not in one.text and "\x1b" not in one.text for one in found)


@given(
    st.builds(Trouble, cause=st.text() | st.sampled_from(sorted(CAUSES)), stage=st.text(), message=st.text())
)
def test_a_device_that_could_not_be_asked_has_one_error(trouble: Trouble) -> None:
    found = findings_of(Look(DEVICE, trouble=trouble))
    assert [one.severity for one in found] == [ERROR]


def test_the_gravest_counts() -> None:
    of: Callable[..., list[Finding]] = lambda *kinds: [Finding("r", kind, "", "") for kind in kinds]  # noqa: E731
    assert worst(of(NOTE, WARNING, ERROR)) is ERROR
    assert worst(of(NOTE, WARNING)) is WARNING
    assert worst(of(NOTE)) is NOTE
    assert worst([]) is None


def test_devices_are_twins_where_machine_and_start_are_the_same() -> None:
    def look(name: str, **facts: Any) -> Look:
        return replace(HEALTHY, device=replace(DEVICE, name=name), facts=replace(FACTS, **facts))

    looks = [
        look("a"),
        look("b"),
        look("other", machine="m2"),
        look("later", boot_id="b2"),
        look("mute", machine=None),
    ]
    looks += [
        look("mute-too", machine=None),
        replace(failed("timed-out"), device=replace(DEVICE, name="off")),
    ]
    assert {one.device.name: one.twins for one in with_twins(looks) if one.twins} == {
        "a": ("b",),
        "b": ("a",),
    }


@pytest.mark.parametrize(
    ("told_s", "before_s", "after_s", "off_s"),
    [
        (1000, 1000.5, 1000.6, 0.0),
        (1000, 1000.9, 1030.0, 0.0),  # a slow answer is no wrong clock
        (1060, 1000.0, 1001.0, 59.0),
        (900, 1000.0, 1001.0, -99.0),
        (0, 1_700_000_000.0, 1_700_000_001.0, -1_699_999_999.0),
        (10**15 - 1, 1.7e9, 1.7e9, 999_998_299_999_999.0),
    ],
)
def test_a_clock_is_off_by_what_the_round_trip_does_not_explain(
    told_s: int, before_s: float, after_s: float, off_s: float
) -> None:
    assert clock_off_s(told_s, before_s, after_s) == pytest.approx(off_s)
    assert all(one.rule == "clock" for one in findings_of(replace(HEALTHY, clock_off_s=off_s)))
