"""Inventories and suites of every version."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.inventory import devices, suite, versions

DATA = Path(__file__).parents[2] / "data" / "inventory"


@pytest.mark.parametrize("version", range(1, versions.VERSION + 1))
def test_a_file_of_each_version_is_read_for_ever(version: int) -> None:
    found = [
        asdict(replace(device, source=""))
        for device in devices.load(DATA / f"version-{version}.yaml").devices
    ]
    said = json.dumps(found, indent=1, default=str, sort_keys=True)
    assert json.loads(said) == json.loads((DATA / "devices.json").read_text("utf-8"))


def test_an_older_version_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def name_the_devices(data: dict[str, object]) -> None:
        data["devices"] = data.pop("boards")

    monkeypatch.setattr(versions, "UPGRADES", {1: name_the_devices})
    monkeypatch.setattr(versions, "VERSION", 2)
    file = tmp_path / "lab.yaml"
    file.write_text("version: 1\nboards: {arm-1: }\n")
    assert [device.name for device in devices.load(file).devices] == ["arm-1"]


@pytest.mark.parametrize("version", ["2", "0", "-1", "one", "1e9", "[1]", "9" * 400, "true"])
def test_a_later_version_is_refused_by_its_number_and_line(tmp_path: Path, version: str) -> None:
    file = tmp_path / "lab.yaml"
    for text, read in (("devices: {arm-1: }", devices.load), ("models: {tiny: bundled:tiny}", suite.load)):
        file.write_text(f"# a comment\nversion: {version}\n{text}\n")
        with pytest.raises(RequestError, match="unsupported version") as refused:
            read(file)
        assert refused.value.source == f"{file}:2"
