"""Ceilings of this machine, measured with real MegEngine."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import Farm

pytestmark = [pytest.mark.wheel, pytest.mark.long, pytest.mark.usefixtures("wheel_runtime")]


def test_a_bench_with_profiles_measures_the_ceilings_of_each_core_set_and_shows_them(farm: Farm) -> None:
    words = ("--model", "bundled:shufflenet_v2_x0_5", "--rounds", "1", "--iter", "2", "--profile", "p.json")
    variants = ("--variant", "a=", "--variant", "b=--enable-nchw44", "--variant", "t=--multithread 2")
    for run_id in ("first", "second"):
        outcome = farm("bench", *words, *variants, "--run-id", run_id, "--json")
        assert outcome.code == 0, outcome.stderr
        (device,) = outcome.results["devices"]
        assert [one["cores"] for one in device["ceilings"]] == ["default", "2 threads"], device["no_ceilings"]
        assert {one["from_run"] for one in device["ceilings"]} == {"first"}
        for one in device["ceilings"]:
            assert len(one["rounds_gflops"]) == len(one["rounds_gbps"]) == 3
            assert one["gflops"] == max(one["rounds_gflops"]) > 0
            assert one["gbps"] == max(one["rounds_gbps"]) > 0
    report = (farm.folder / "runs/second/report.html").read_text("utf-8")
    assert report.count("roofline-figure") >= 2
    assert "measured in run first with two bundled models" in report
    shown = farm("profiles", "show", "second", "local/shufflenet_v2_x0_5/t", "--json")
    found = json.loads(shown.stdout)
    assert found["ceilings"]["cores"] == "2 threads"
    assert {one["bound"] for one in found["profiles"][0]["operators"]} & {"compute", "memory"}
