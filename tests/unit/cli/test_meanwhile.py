"""What `farm bench` does while devices work."""

from __future__ import annotations

from pathlib import Path
from threading import Event as Signal
from typing import Any

import pytest

from farm.cli.bench import bench
from farm.model.artifact import Artifact
from farm.model.device import LOCAL, Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Model
from farm.model.options import OptionSet, Variant
from farm.run.events import Event, Kind
from tests.unit.plans import plan_of

PATIENCE_S = 30.0


def plan_for(*names: str) -> Any:
    devices = [Device(name, Address(name), Runtime(RuntimeKind.WHEEL)) for name in names]
    model = Model("m", Artifact("m.mge", "0" * 64, 10, Path("m.mge")))
    return plan_of(devices, [model], [Variant("plain", OptionSet())])


def test_the_report_is_prepared_in_the_first_round(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, heard = Signal(), list[Event]()
    monkeypatch.setattr(bench, "_prepare_ending", prepared.set)
    told = bench._preparing_meanwhile(plan_for("arm-1"), heard.append)
    events = [Event("arm-1", Kind.STEP, "connecting"), *2 * [Event("arm-1", Kind.ROUND, "timed 1 of 2")]]
    told(events[0])
    assert not prepared.is_set()
    told(events[1])
    assert prepared.wait(PATIENCE_S)
    told(events[2])
    assert heard == events


@pytest.mark.parametrize("name", [LOCAL, "localhost", "127.0.0.1", "::1"])
def test_nothing_is_prepared_beside_a_round_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(bench, "_prepare_ending", lambda: pytest.fail("it would be measured"))
    heard: list[Event] = []
    told = bench._preparing_meanwhile(plan_for("arm-1", name), heard.append)
    assert told == heard.append
