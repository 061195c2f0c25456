"""Which runtime a build means on a device."""

from __future__ import annotations

from farm.inventory.conditions import parse
from farm.model.build import INVENTORY_BUILD, Build, BuildChoice
from farm.model.device import Address, Device, Facts, Runtime, RuntimeKind
from farm.plan.rules import runtime_of

OWN, OLD, NEW = (Runtime(RuntimeKind.NATIVE, program=name) for name in ("own", "old", "new"))
DEVICE = Device("arm-1", Address("arm-1"), OWN, tags=("arm64",))


def test_the_build_of_the_inventory_is_each_devices_own_runtime() -> None:
    assert runtime_of(INVENTORY_BUILD, DEVICE, None) == OWN


def test_the_first_choice_that_applies_counts() -> None:
    build = Build("release", (BuildChoice(parse("tag:cuda"), OLD), BuildChoice(parse("tag:arm64"), NEW)))
    assert runtime_of(build, DEVICE, None) == NEW
    assert runtime_of(Build("cuda only", build.choices[:1]), DEVICE, None) is None


def test_a_choice_that_only_the_device_can_decide_waits_for_its_facts() -> None:
    build = Build("release", (BuildChoice(parse("arch == aarch64"), NEW), BuildChoice((), OLD)))
    assert runtime_of(build, DEVICE, None) is None
    assert runtime_of(build, DEVICE, Facts(architecture="aarch64")) == NEW
    assert runtime_of(build, DEVICE, Facts(architecture="x86_64")) == OLD
