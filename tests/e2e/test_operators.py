"""Where a difference comes from, of real profiles: two models that differ in one operator."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from farm.errors import ExitCode
from tests.e2e.conftest import ROOT, Farm

pytestmark = [pytest.mark.wheel, pytest.mark.usefixtures("wheel_runtime")]

MODELS = ROOT / "tests" / "wheel" / "models"
QUICK = ("--model", "pool.mge", "--rounds", "1", "--iter", "3", "--warmup-iter", "1", "--json")


@pytest.mark.long
def test_a_planted_slow_operator_is_the_top_bar_of_the_waterfall(farm: Farm, tmp_path: Path) -> None:
    """It looks at 25 x 25 neighbours in place of 3 x 3: 70 times the work, and nothing else has changed."""
    farm.may_be_slower = True
    shutil.copy(MODELS / "pool-3.mge", tmp_path / "pool.mge")
    outcome = farm("bench", *QUICK, "--profile", "p.json", "--run-id", "before")
    assert outcome.code == 0, outcome.stderr
    (cell,) = outcome.results["cells"]
    assert [one["status"] for one in cell["rounds"] if one["kind"] == "profile"] == ["completed"] * 3
    shutil.copy(MODELS / "pool-25.mge", tmp_path / "pool.mge")
    against = ("--baseline", "before", "--budget", "1s", "--check", "off")
    outcome = farm("bench", *QUICK, "--profile", "p.json", "--run-id", "now", *against)
    assert outcome.code in (0, ExitCode.UNDECIDED), outcome.stderr
    shown = farm("profiles", "compare", "before", "now", "--json")
    assert shown.code == 0, shown.stderr
    compared = json.loads(shown.stdout)
    assert [one["rounds"] for one in compared["sides"]] == [3, 3]
    assert compared["unmatched"] == {"before:local/pool/default": [], "now:local/pool/default": []}
    top = compared["waterfalls"][0]["bars"][0]
    assert (top["name"], top["kind"]) == ("pool.Pooling", "operator")
    assert top["delta_ms"] > 0
    report = (tmp_path / "runs" / "now" / "report.html").read_text("utf-8")
    section = report[report.index('<section id="operators">') :]
    assert "local/pool/default, before and now" in section
    assert section.index("pool.Pooling") < section.index("</tr>", section.index("<tbody>"))
