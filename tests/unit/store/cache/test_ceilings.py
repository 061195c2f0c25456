"""Ceilings that were measured, kept on the controller."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from farm.model.operators import Ceilings
from farm.store.cache.ceilings import CeilingStore

FOUND = Ceilings(48.0, 12.5, "measured", "arm-1", "default", (48.0, 47.0), (12.5, 12.0), "night")


def test_what_is_kept_is_found_under_its_key_alone(tmp_path: Path) -> None:
    store = CeilingStore(tmp_path / "ceilings")
    assert store.find("arm-1 ", "key") is None
    store.keep("arm-1 ", "key", FOUND)
    found = store.find("arm-1 ", "key")
    assert found is not None
    assert (found.gflops, found.gbps, found.source, found.from_run) == (48.0, 12.5, "measured", "night")
    assert (found.rounds_gflops, found.rounds_gbps) == (FOUND.rounds_gflops, FOUND.rounds_gbps)
    assert store.find("arm-1 ", "another start of the device") is None
    assert store.find("arm-2 ", "key") is None


def test_another_start_of_the_device_replaces_its_file(tmp_path: Path) -> None:
    store = CeilingStore(tmp_path)
    for boot in range(20):
        store.keep("\udcff odd", str(boot), FOUND)
    assert store.find("\udcff odd", "19") is not None
    assert len([*tmp_path.iterdir()]) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: "{",
        lambda kept: "[" * 100_000,
        lambda kept: "null",
        lambda kept: json.dumps(kept | {"ceilings": None}),
        lambda kept: json.dumps(kept | {"ceilings": kept["ceilings"] | {"gflops": 0}}),
        lambda kept: json.dumps(kept | {"ceilings": kept["ceilings"] | {"gbps": -1.0}}),
        lambda kept: json.dumps(kept | {"ceilings": kept["ceilings"] | {"gbps": float("nan")}}),
        lambda kept: json.dumps(kept | {"ceilings": kept["ceilings"] | {"gflops": 10**400}}),
        lambda kept: json.dumps(kept | {"ceilings": kept["ceilings"] | {"rounds_gflops": ["x"]}}),
        lambda kept: json.dumps({"key": kept["key"]}),
    ],
)
def test_a_damaged_file_counts_for_nothing(tmp_path: Path, change) -> None:
    store = CeilingStore(tmp_path)
    store.keep("arm-1", "key", FOUND)
    (file,) = tmp_path.iterdir()
    file.write_text(change(json.loads(file.read_text())))
    assert store.find("arm-1", "key") is None
