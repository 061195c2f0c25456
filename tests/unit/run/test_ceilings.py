"""When ceilings are not measured."""

from __future__ import annotations

import pytest

from farm.model.device import Facts
from farm.run.ceilings.measure import ELEMENTWISE, PRODUCT, NotMeasuredError, _require_memory, ceiling_models


@pytest.mark.parametrize(
    "facts",
    [
        Facts(memory_available_bytes=200 << 20),
        Facts(memory_available_bytes=8 << 30, memory_limit_bytes=512 << 20),
    ],
)
def test_a_device_with_too_little_memory_for_the_bundled_models_does_not_run_them(facts: Facts) -> None:
    with pytest.raises(NotMeasuredError, match="MiB of memory for a program"):
        _require_memory(facts)


def test_a_device_that_does_not_tell_its_memory_runs_them() -> None:
    _require_memory(Facts())
    _require_memory(Facts(memory_available_bytes=8 << 30))


def test_the_two_models_are_in_the_package() -> None:
    assert [*ceiling_models()] == [PRODUCT, ELEMENTWISE]
