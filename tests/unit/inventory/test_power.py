"""Commands of the inventory that switch devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.inventory.devices import load
from farm.model.device import Power, PowerAction

POWER = """
groups: {lab: {power: {on: [pdu, '{name}', on], cycle: [./pdu.sh, --json, '{"host": "{address}"}']}}}
devices:
  a: {group: lab, address: 10.0.0.1, port: 2222, user: me}
  b: {group: lab, power: {status: ping}}
  c: {group: lab, power: {}}
  d:
"""


def test_power_is_commands_that_replace_those_of_the_groups(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(POWER)
    a, b, c, d = load(file).devices
    assert a.power == Power(
        on=("pdu", "{name}", "on"), cycle=(str(tmp_path / "pdu.sh"), "--json", '{"host": "{address}"}')
    )
    assert a.power.actions == (PowerAction.ON, PowerAction.CYCLE)
    assert a.power.command(PowerAction.ON, "a", "10.0.0.1") == ("pdu", "a", "on")
    assert a.power.command(PowerAction.CYCLE, "a", "10.0.0.1")[2] == '{"host": "10.0.0.1"}'
    assert a.power.command(PowerAction.OFF, "a", "10.0.0.1") == ()
    assert b.power == Power(status=("ping",))
    assert (c.power, d.power) == (None, None)


@pytest.mark.parametrize(
    ("power", "says"),
    [
        ("{on: [pdu, '{nmae}']}", "power.on: {nmae} is not one of {name}, {address} (did you mean name?)"),
        ("{on: [pdu, '{}']}", "{} is not one of"),
        ("{reset: [pdu]}", "power.reset: unknown key"),
        ("{on: ['', a]}", "begins with the name of a program"),
        ("{on: {a: b}}", "power.on: should be a list"),
        ("{on: [[a]]}", "power.on[1]: should be text"),
        ("pdu", 'power: should be a mapping of "key: value"'),
    ],
)
def test_power_that_means_nothing_is_a_mistake_in_its_line(tmp_path: Path, power: str, says: str) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(f"devices:\n  d:\n    power: {power}\n")
    with pytest.raises(RequestError) as refused:
        load(file)
    assert says in refused.value.message
    assert refused.value.source == f"{file}:3"
