"""A search with MegEngine's real wheel on this machine."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import PATIENCE_S, Farm

pytestmark = [pytest.mark.wheel, pytest.mark.long]


def test_the_wheel_is_tuned_with_what_its_own_fitting_finds(farm: Farm) -> None:
    space = ("--space", "fast-run=default,true", "--space", "record=default,1,2", "--space", "fitting=true")
    given = ("--model", "bundled:tiny", "--cpu-default", "--iter", "30")
    limits = ("--memory-limit", "200MB", "--budget", "6m")
    process = farm.start("tune", *given, *limits, *space, "--run-id", "t", "--output", "fast.yaml", "--json")
    try:
        stdout, stderr = process.communicate(timeout=4 * PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode in (0, 5), stderr  # 5: this machine is too busy to say
    found = json.loads(stdout)["tune"]
    assert found["invalid"] == 2  # record=2 hides its outputs
    values, rung = found["steps"][:2]
    names = {"default", "fast-run", "record=1"}
    assert set(values["candidates"]) == names | {"fitting"}
    assert set(rung["candidates"]) == names | {"fast-run, record=1", "fitting"}
    fitted = next(one for one in found["candidates"] if one["name"] == "fitting")
    assert "fitting" not in fitted["options"]
    assert len(fitted["options"]) > 1
    for one in rung["outcomes"]:
        assert one["dropped"] is None, one
        assert one["ratio"] > 0
        assert one["memory_bytes"] > 0
    if found["confirmation"]["verdict"] == "faster":
        assert farm("plan", "--suite", "fast.yaml", "--json").code == 0
