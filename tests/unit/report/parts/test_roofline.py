"""Operators under the ceilings of their device: a section of the report."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.model.operators import Ceilings
from farm.model.run import Results
from farm.report.compose import compose
from farm.report.parts import roofline as report_roofline
from farm.report.parts.roofline import rooflines
from farm.report.render import render
from farm.report.views.roofline import DeviceRoofline, Rooflines
from farm.store.codec import results_from_json, results_to_json
from farm.store.runs import RunDirectory, find_run
from tests.unit.cli.test_profiles import DATA, keep

MEASURED = Ceilings(
    50.0, 10.0, "measured", "arm-1", "default", (48.0, 50.0), (10.0, 9.5), "evening", disturbed=None
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(DATA, "p.json")


def night(*ceilings: Ceilings, why_not: tuple[str, ...] = ()) -> tuple[RunDirectory, Results]:
    """Two profiled cells and one without."""
    keep(("old", ("a.json",)), ("new", ("b.json", "c.json")), ("none", ()))
    directory = find_run(Path("runs"), "night")
    results = directory.results()
    device = replace(results.devices[0], ceilings=ceilings, no_ceilings=why_not)
    return directory, results_from_json(results_to_json(replace(results, devices=(device,))), "night")


def shown(directory: RunDirectory, results: Results) -> Rooflines:
    found: Rooflines = rooflines(directory, results).run["roofline"]
    return found


def one_part(directory: RunDirectory, results: Results) -> DeviceRoofline:
    (part,) = shown(directory, results).parts
    return part


def change(path: Path, changed: dict[str, Any]) -> None:
    """Footprints and times of all operators of the profile there."""
    root = json.loads(DATA.read_text())
    for name, one in root["graph_exec"]["operator"].items():
        one["name"] = changed.get("name", one["name"])
        for span in root["profiler"]["device"].get(name, {}).values():
            span["end"] = span["start"] + changed.get("s", 1e-3)
            span["kern"] = span["start"]
        for sizes in (root["profiler"]["opr_footprint"].get(name, {}),):
            sizes.update({key: changed[key] for key in ("memory", "computation") if key in changed})
    path.write_text(json.dumps(root))


def test_the_operators_of_all_cells_of_a_device_are_under_one_roof_and_in_a_table() -> None:
    directory, results = night(MEASURED)
    change(directory.path / "a.json", {"s": 1e-3, "computation": 25_000_000, "memory": 1_000_000})
    part = one_part(directory, results)
    assert (part.device, part.cores, part.ceilings) == ("arm-1", "default", "50 GFLOP/s and 10 GB/s")
    assert part.source.startswith("measured in run evening with two bundled models, the best of 2 rounds")
    row = part.rows[0]
    assert (row.cell, row.time_ms, row.gflops, row.gbps) == ("m / old", "1.00", "25", "1")
    assert (row.intensity, row.bound, row.reach) == ("25", "computation", "50%")
    assert part.figure is not None
    assert len({one.y for one in part.figure.points}) > 1
    html = render(compose(results, rooflines(directory, results)))
    assert '<section id="roofline">' in html
    assert html.count("roofline-figure") >= 1
    assert f'<a href="#{row.anchor}">m / old</a>' in html


def test_times_are_medians_and_what_is_too_short_or_unknown_is_counted() -> None:
    directory, results = night(MEASURED)
    change(directory.path / "a.json", {"s": 1e-6})
    change(directory.path / "b.json", {"s": 1e-3})
    change(directory.path / "c.json", {"s": 3e-3})
    part = one_part(directory, results)
    assert {row.time_ms for row in part.rows} == {"2.00"}
    assert "18 operators shorter than 5 us" in (part.left or "")
    change(directory.path / "a.json", {"s": 1e-3, "memory": None, "computation": None})
    assert "18 operators without an estimate" in (one_part(directory, results).left or "")


def test_a_run_without_profiles_or_without_ceilings_has_no_such_section() -> None:
    directory, results = night(replace(MEASURED, cores="8 threads"))
    assert rooflines(directory, results).run == {}
    assert 'id="roofline"' not in render(compose(results, rooflines(directory, results)))


def test_why_ceilings_are_missing_is_told_where_nothing_else_is_to_be_shown() -> None:
    found = shown(*night(why_not=("default: the device was restarted meanwhile",)))
    assert found.notes == ("arm-1, default: the device was restarted meanwhile",)
    assert found.parts == ()


@pytest.mark.parametrize("gflops", [0.0, -1.0])
def test_ceilings_that_are_none_are_not_used(gflops: float) -> None:
    assert rooflines(*night(replace(MEASURED, gflops=gflops))).run == {}


def test_profiles_that_are_gone_or_too_large_cost_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    directory, results = night(MEASURED)
    (directory.path / "a.json").unlink()
    assert {row.cell for row in one_part(directory, results).rows} == {"m / new"}
    monkeypatch.setattr(report_roofline, "MOST_BYTES", 10)
    found = shown(directory, results)
    assert found.parts == ()
    assert found.notes == ("1 cell with large profiles not shown: farm profiles show has them",)


def test_many_devices_are_bounded_and_so_is_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_roofline, "MOST_PARTS", 0)
    found = shown(*night(MEASURED))
    assert found.parts == ()
    assert found.notes == ("1 more devices and core sets not shown",)


def test_what_a_device_calls_its_operators_and_cores_stays_text() -> None:
    bad = "<script>alert(1)</script>\x1b[31m\u202e"
    directory, results = night(
        replace(MEASURED, from_run=bad * 100, disturbed=bad), why_not=(f"default: {bad * 100}",)
    )
    change(directory.path / "a.json", {"name": bad + "x" * 100_000, "s": 1.0, "computation": 10**30})
    html = render(compose(results, rooflines(directory, results)))
    assert "<script>alert" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert len(html) < 1_000_000
