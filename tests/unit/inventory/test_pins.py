"""Settings that the inventory allows farm to change on a device."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.inventory.devices import load
from farm.model.device import Extreme, Pin

PINS = """
groups: {lab: {pin: {governor: performance, how: sudo}}}
devices:
  a: {group: lab}
  b: {group: lab, pin: {frequency_khz: max, cores: big, turbo: false}}
  c: {group: lab, pin: {}}
  d: {pin: {frequency_khz: 1800000, cores: 4-7}, cores: {fast: 4}}
  e:
"""


def test_a_pin_replaces_that_of_the_groups_and_an_empty_one_is_none(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(PINS)
    assert [device.pin for device in load(file).devices] == [
        Pin("performance", how="sudo"),
        Pin(frequency_khz=Extreme.MAX, cores="big", turbo=False),
        None,
        Pin(frequency_khz=1_800_000, cores="4-7"),
        None,
    ]


@pytest.mark.parametrize(
    ("pin", "says"),
    [
        ("{governor: ../x}", "not the name of a governor"),
        ("{frequency_khz: fast}", "frequency_khz"),
        ("{frequency_khz: 1}", "frequency_khz"),
        ("{frequency_khz: 1.5}", "frequency_khz"),
        ("{turbo: perhaps}", "turbo"),
        ("{how: root}", "how"),
        ("{speed: 1}", "speed"),
        ("{governor: performance, cores: fats}", "did you mean fast?"),
        ("performance", "pin"),
    ],
)
def test_a_pin_that_means_nothing_is_a_mistake_in_its_line(tmp_path: Path, pin: str, says: str) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(f"devices:\n  a: {{cores: {{fast: 4-7}}, pin: {pin}}}\n")
    with pytest.raises(RequestError) as refused:
        load(file)
    assert says in str(refused.value)
    assert "lab.yaml:2" in str(refused.value)
