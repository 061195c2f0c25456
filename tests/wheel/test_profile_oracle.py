"""Totals of a profile that MegEngine has just written, as megengine.tools.profile_analyze has them."""

import json
import math
from pathlib import Path

import pytest

from farm.analysis.operators.roofline import measured
from farm.analysis.operators.views import by_type
from farm.dumps.profile import read_profile
from farm.logs.algorithms import algorithms
from tests import oracle

from .conftest import BUNDLED, Wheel

pytestmark = pytest.mark.wheel

SUMS = """
import json, sys
import numpy as np
from megengine.utils.profile_analyzer import ProfileAnalyzer, TimeFuncHelper
analyzer = ProfileAnalyzer(json.load(open(sys.argv[1])), lambda *_: True)
found = {}
for where in ("device", "host"):
    time = TimeFuncHelper.eval_time_func(where, "end", np.max)
    by_type = analyzer.select(time, aggregate=np.sum, aggregate_by="type")
    found[where] = {one.info["type"]: [one.info["count"], float(one.time)] for one in by_type}
    found[where + " total"] = float(analyzer.select(time, aggregate=np.sum)[0].time)
rates = analyzer.select(TimeFuncHelper.eval_time_func("device", "end", np.max))
found["rates"] = {str(one.opr_id): [format(one.flops, ""), format(one.bandwidth, "")] for one in rates if one.time}
print(json.dumps(found))
"""


@pytest.mark.oracle
@pytest.mark.parametrize("model", ["shufflenet_v2_x0_5", "int8"])
def test_totals_and_rates_are_those_of_profile_analyze(wheel: Wheel, model: str) -> None:
    oracle.python()
    done = wheel(BUNDLED / f"{model}.mge", "--profile", "p.json", "--iter", "1").passed()
    path = done.folder / "p.json"
    theirs = json.loads(oracle.run(SUMS, path))
    with path.open("rb") as file:
        ours = read_profile(file)
    assert ours.problems == ()
    assert math.isclose(ours.device_ms / 1e3, theirs["device total"], rel_tol=1e-9)
    assert math.isclose(ours.host_ms / 1e3, theirs["host total"], rel_tol=1e-9)
    groups = by_type(ours)
    assert {one.key: one.count for one in groups} == {key: one[0] for key, one in theirs["device"].items()}
    for one in groups:
        assert math.isclose(one.device_ms / 1e3, theirs["device"][one.key][1], rel_tol=1e-9, abs_tol=1e-12)
        assert math.isclose(one.host_ms / 1e3, theirs["host"][one.key][1], rel_tol=1e-9, abs_tol=1e-12)
    for operator in ours.operators:
        flops, bandwidth = theirs["rates"].get(operator.id, ("N/A", "N/A"))
        assert operator.gflops == (None if flops == "N/A" else pytest.approx(float(flops) / 1e9, rel=1e-9))
        assert (operator.gbps or 0) == (
            0 if bandwidth == "N/A" else pytest.approx(float(bandwidth) / 1e9, rel=1e-9)
        )


def test_the_algorithms_of_a_verbose_log_are_those_of_its_operators(wheel: Wheel) -> None:
    done = wheel(BUNDLED / "tiny.mge", "--verbose", "--profile", "p.json", "--iter", "1").passed()
    with (done.folder / "p.json").open("rb") as file:
        found = read_profile(file, algorithms(done.err.splitlines()))
    chosen = {one.name: one.algorithm for one in found.operators if one.algorithm}
    assert {"first.Convolution", "second.Convolution"} <= set(chosen)


@pytest.mark.long
@pytest.mark.parametrize("model", ["product", "elementwise"])
def test_the_models_of_the_ceilings_have_the_operators_that_are_looked_for(wheel: Wheel, model: str) -> None:
    path = Path("ceilings") / f"{model}.mge"
    done = wheel(BUNDLED / path, "--profile", "p.json", "--iter", "1", "--warmup-iter", "0").passed()
    with (done.folder / "p.json").open("rb") as file:
        found = read_profile(file)
    assert measured([found], [found]) is None  # one of the two is not enough
    if model == "product":
        (product,) = (one for one in found.operators if one.type == "MatrixMul")
        assert product.computation == 2 * 1024**3
    else:
        *_, last = (one for one in found.operators if one.type == "Elemwise")
        assert last.memory_bytes == 3 * 64 << 20
