"""Quarantine: a device is left out as long as it holds, and whatever its file says it is never used by mistake."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from farm.errors import RequestError, RunError
from farm.model.comparison import Change, Duel
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Cell, Model, Plan
from farm.model.options import OptionSet, Variant
from farm.run.devices.quarantined import without_quarantined
from farm.store.notes.files import Notes
from farm.store.notes.quarantine import (
    BY_CHECK,
    FOLDER,
    Quarantine,
    in_quarantine,
    put,
    quarantine_of,
    released,
    restore,
)


def device(name: str) -> Device:
    return Device(name, Address(name), Runtime(RuntimeKind.WHEEL))


def plan_of(*names: str) -> Plan:
    devices = tuple(map(device, names))
    cells = tuple(
        Cell(one, Model("m", None), Variant(variant, OptionSet()), ())
        for one in devices
        for variant in ("a", "b")
    )
    duels = tuple(Duel(f"{name}/m/a", f"{name}/m/b", Change.VARIANT) for name in names)
    return Plan(devices, (), (), cells, (), 3, 0, duels=duels)


def test_a_device_is_left_out_until_the_end_or_until_it_is_restored(tmp_path: Path) -> None:
    assert in_quarantine(tmp_path) == {}
    put(tmp_path, "arm-1", "loud\nfan", 2)
    (found,) = in_quarantine(tmp_path).values()
    assert (found.device, found.why, found.by) == ("arm-1", "loud fan", "hand")
    assert found.sentence.startswith("in quarantine until 20")
    put(tmp_path, "arm-2", "old", -1)
    assert list(in_quarantine(tmp_path)) == ["arm-1"]
    restore(tmp_path, "arm-1")
    assert in_quarantine(tmp_path) == {}
    with pytest.raises(RequestError, match="arm-1 is not in quarantine"):
        restore(tmp_path, "arm-1")


def test_a_check_that_passes_ends_what_a_failed_one_began_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path, "arm-1", "no answer", 2, BY_CHECK)
    put(tmp_path, "arm-2", "loud fan", 2)
    assert released(tmp_path, ["arm-1", "arm-2", "arm-3"]) == ("arm-1",)
    assert list(in_quarantine(tmp_path)) == ["arm-2"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1}'])
def test_a_file_that_cannot_be_read_leaves_its_device_out(tmp_path: Path, text: str) -> None:
    put(tmp_path, "arm-1", "x", 1)
    (tmp_path / FOLDER / "arm-1").write_text(text)
    assert "cannot be read" in in_quarantine(tmp_path)["arm-1"].why
    assert released(tmp_path, ["arm-1"]) == ()
    restore(tmp_path, "arm-1")
    assert in_quarantine(tmp_path) == {}


def test_one_that_another_process_ends_while_all_are_read_leaves_no_device_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "arm-1", "loud fan", 1)
    really = Notes.read

    def ended_meanwhile(notes: Notes, name: str) -> Mapping[str, str]:
        restore(tmp_path, name)
        return really(notes, name)

    monkeypatch.setattr(Notes, "read", ended_meanwhile)
    assert in_quarantine(tmp_path) == {}


def test_one_that_a_disk_does_not_give_leaves_its_device_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "arm-1", "loud fan", 1)
    really, note = Path.open, tmp_path / FOLDER / "arm-1"

    def broken(path: Path, *words: Any) -> Any:
        if path == note:
            raise OSError(errno.EIO, "Input/output error")
        return really(path, *words)

    monkeypatch.setattr(Path, "open", broken)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert "Input/output error" in in_quarantine(tmp_path)["arm-1"].why


def test_of_one_device_no_other_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "arm-1", "loud fan", 1)
    put(tmp_path, "arm-2", "x", 1)
    put(tmp_path, "arm-3", "old", -1)
    read: list[str] = []
    really = Notes.read

    def noted(notes: Notes, name: str) -> Mapping[str, str]:
        read.append(name)
        return really(notes, name)

    monkeypatch.setattr(Notes, "read", noted)
    found = [quarantine_of(tmp_path, name) for name in ("arm-1", "arm-3", "arm-9", "../arm-2")]
    assert [one and one.why for one in found] == ["loud fan", None, None, None]
    assert read == ["arm-1", "arm-3", "arm-9"]


@pytest.mark.parametrize("until", ["", "soon", "2026-01-01", "9" * 30])
def test_an_end_that_is_no_time_holds_until_somebody_ends_it(until: str) -> None:
    assert Quarantine("a", "b", "", until, "hand").holds(datetime.now(UTC))


def test_a_disk_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no folder")
    with pytest.raises(RunError, match="cannot write the quarantine"):
        put(tmp_path, "arm-1", "x", 1)


def test_a_plan_leaves_its_cells_and_comparisons_out_with_the_reason(tmp_path: Path) -> None:
    plan = plan_of("arm-1", "arm-2")
    assert without_quarantined(plan, tmp_path) is plan
    put(tmp_path, "arm-1", "loud fan", 2)
    made = without_quarantined(plan, tmp_path)
    assert {cell.id for cell in made.cells} == {"arm-2/m/a", "arm-2/m/b"}
    assert [skip.id for skip in made.skips] == ["arm-1/m/a", "arm-1/m/b"]
    assert made.skips[0].reason.endswith(": loud fan")
    assert [duel.baseline for duel in made.duels] == ["arm-2/m/a"]


def test_a_plan_without_any_other_device_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "arm-1", "loud fan", 2)
    with pytest.raises(RequestError, match=r"arm-1 is in quarantine until .*: loud fan") as caught:
        without_quarantined(plan_of("arm-1"), tmp_path)
    assert caught.value.hint == "farm devices restore arm-1"


def test_it_is_plain_json_for_other_tools(tmp_path: Path) -> None:
    put(tmp_path, "arm-1", "a\x1bb", 2, BY_CHECK)
    found = json.loads((tmp_path / FOLDER / "arm-1").read_text())
    assert (found["version"], found["why"], found["by"]) == (1, "a<U+001B>b", "check")
