"""Which devices can run the wheel runtime."""

from __future__ import annotations

import pytest

from farm.errors import DeviceError
from farm.model.device import Address, Device, Facts, Python, Runtime, RuntimeKind
from farm.run.programs.platform import device_python, require_wheel_platform

OLD, NEW = Python("/usr/bin/python3", (3, 5, 9)), Python("/opt/bin/python3.9", (3, 9, 1))


def device(python: str | None = None) -> Device:
    return Device("d", Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL, python=python))


def test_the_first_python_that_is_new_enough_drives_the_wheel() -> None:
    facts = Facts(pythons=(OLD, NEW))
    assert device_python(device(), facts) == NEW
    for name in (NEW.path, "python3.9"):
        assert device_python(device(name), facts) == NEW


@pytest.mark.parametrize(("wanted", "found"), [(None, (OLD,)), (None, ()), ("python3.8", ())])
def test_a_device_without_such_a_python_is_refused(wanted: str | None, found: tuple[Python, ...]) -> None:
    with pytest.raises(DeviceError) as caught:
        device_python(device(wanted), Facts(pythons=found))
    assert caught.value.cause == "python-missing"


@pytest.mark.parametrize(
    "facts", [Facts(architecture="aarch64", libc="glibc 2.31"), Facts(architecture="x86_64", libc="musl")]
)
def test_a_platform_that_the_wheel_was_not_built_for_is_refused(facts: Facts) -> None:
    require_wheel_platform(device(), Facts(architecture="x86_64", libc="glibc 2.31"))
    with pytest.raises(DeviceError) as caught:
        require_wheel_platform(device(), facts)
    assert caught.value.cause == "architecture"
