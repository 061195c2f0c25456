"""What `farm bench` does while devices work."""

from __future__ import annotations

from pathlib import Path
from threading import Event as Signal
from threading import Thread
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


HERE = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def coming(name: str, boot_id: str | None = "another") -> list[Event]:
    """What a lane tells until its first round."""
    return [
        Event(name, Kind.STEP, "connecting"),
        Event(name, Kind.STEP, "probing"),
        Event(name, Kind.ROUND, "timed 1 of 2", boot_id=boot_id),
    ]


def test_the_report_is_prepared_when_all_devices_have_come_to_their_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared, heard, done = list[str](), list[Event](), Signal()

    def prepare() -> None:
        prepared.append("once")
        done.set()

    monkeypatch.setattr(bench, "_prepare_ending", prepare)
    told = bench._preparing_meanwhile(plan_for("arm-1", "arm-2", "arm-3"), heard.append)
    events = [*coming("arm-1"), Event("arm-2", Kind.FAILED, "connect: no"), *coming("arm-3", None)]
    for event in events[:-1]:
        told(event)
    assert not prepared
    again = Event("arm-1", Kind.ROUND, "timed 2 of 2", boot_id="another")
    told(events[-1])
    assert done.wait(PATIENCE_S)
    told(again)
    assert heard == [*events, again]
    assert prepared == ["once"]


@pytest.mark.parametrize("name", [LOCAL, "a.name.of.this.machine"])
@pytest.mark.parametrize("is_first", [True, False])
def test_nothing_is_prepared_beside_a_round_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, name: str, is_first: bool
) -> None:
    monkeypatch.setattr(bench, "_prepare_ending", lambda: pytest.fail("it would be measured"))
    started: list[Thread] = []
    monkeypatch.setattr(Thread, "start", started.append)
    heard: list[Event] = []
    told = bench._preparing_meanwhile(plan_for("arm-1", name), heard.append)
    both = coming("arm-1"), coming(name, None if name == LOCAL else HERE)
    events = [*both[not is_first], *both[is_first], *both[0][-1:], *both[1][-1:]]
    for event in events:
        told(event)
    assert heard == events
    assert not started
