"""A run is used again only where it is the one that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.bisect.folders import build_in
from farm.bisect.same import differences
from farm.model.build import Build
from farm.model.comparison import Comparing
from farm.model.matrix import Plan
from farm.model.options import OptionSet, Variant
from farm.model.outputs import Check, Checking
from farm.model.request import ModelRequest, Request
from farm.model.run import Results
from farm.plan.layout import native_digest, own_files
from farm.plan.prepare import prepare
from farm.run.planned import Origin, planned_results


def build(folder: Path, name: str) -> Build:
    (folder / name).mkdir()
    (folder / name / "load_and_run").write_text(f"#!/bin/sh\n# {name}\n")
    found = build_in(folder / name, name)
    assert isinstance(found, Build)
    return found


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "lab.yaml").write_text("devices: {d: {address: 10.0.0.1, user: u, runtime: {kind: wheel}}}\n")
    builds = tuple(build(tmp_path, name) for name in ("old", "new"))
    request = Request(
        tmp_path / "lab.yaml", models=(ModelRequest(bundled="tiny"),), variants=(Variant("default", OptionSet()),),
        ab=("old", "new"), builds=("old", "new"), defined=builds, fresh=20, check=Check.OFF,
    )  # fmt: skip
    return prepare(request, lambda *_: None, fetch=False).plan


def measured(plan: Plan, **fields: Any) -> Results:
    """What a run of the plan has; `fields` are those of its first cell."""
    results = planned_results("one-step-1", plan, Origin("", (), ""))
    digests = {one.build: native_digest(own_files(one.device.runtime)) for one in plan.cells}
    first, *others = (replace(one, runtime_digest=digests[one.build]) for one in results.cells)
    return replace(results, cells=(replace(first, **fields), *others))


def test_a_run_of_the_same_plan_differs_in_nothing_whatever_its_budget(plan: Plan) -> None:
    assert len(plan.duels) == 1
    assert differences(plan, measured(plan)) == ()
    assert differences(plan, measured(plan, runtime_digest=None)) == ()
    limited = replace(plan, sampling=replace(plan.sampled, budget_s=7.0))
    assert differences(plan, measured(limited)) == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda one: replace(one, seed=9), "its seed is 9, not"),
        (lambda one: replace(one, comparing=Comparing(0.5)), "minimum effect"),
        (lambda one: replace(one, sampling=replace(one.sampling, fresh=21)), "number of pairs"),
        (lambda one: replace(one, checking=Checking(Check.OUTPUTS)), "checked otherwise"),
        (lambda one: replace(one, models=(replace(one.models[0], golden="g"),)), "checked otherwise"),
        (lambda one: replace(one, devices=(replace(one.devices[0], address="u@h"),)), "another address"),
        (lambda one: replace(one, cells=one.cells[:1]), "it has no d/"),
    ],
    ids=("seed", "effect", "pairs", "check", "golden", "device", "cell"),
)
def test_what_a_run_has_otherwise_is_named(
    plan: Plan, change: Callable[[Results], Results], says: str
) -> None:
    (told,) = differences(plan, change(measured(plan)))
    assert says in told


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("model_sha256", "its model is another one"),
        ("input_sha256", "its input is another one"),
        ("options_sha256", "its options are others"),
        ("runtime_digest", "the program of old is another one"),
    ],
)
def test_other_files_are_named(plan: Plan, key: str, says: str) -> None:
    assert differences(plan, measured(plan, **{key: "0" * 64})) == (says,)
