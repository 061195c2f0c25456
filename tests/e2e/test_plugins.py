"""The example plugins, installed as a user does it, and every command that uses them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from farm.plugins.find import NAME_RULE
from farm.store.codec import results_to_json
from tests.data.results import make
from tests.e2e.conftest import ROOT, Farm, Outcome
from tests.unit.plugins.packages import package

EXAMPLE = ROOT / "examples" / "plugins"
PAGE = ROOT / "docs" / "how-to" / "plugins.md"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example package, from a copy: a build may write beside its sources."""
    folder = tmp_path_factory.mktemp("plugins")
    shutil.copytree(EXAMPLE, folder / "source")
    words = ["--quiet", "--offline", "--no-cache", "--no-deps", "--no-build-isolation", "--target"]
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        *words,
        str(folder / "site"),
        str(folder / "source"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def site(installed: Path, tmp_path: Path) -> Path:
    """A copy of it, to which a test may add packages."""
    return Path(shutil.copytree(installed, tmp_path / "site"))


@pytest.fixture
def run(farm: Farm) -> str:
    """A run with results, and nothing else."""
    folder = farm.folder / "runs" / "one"
    folder.mkdir(parents=True)
    (folder / "results.json").write_bytes(results_to_json(make.small()))
    return "one"


def call(farm: Farm, site: Path, *words: str, **more: str) -> Outcome:
    """`farm`, which finds what is installed there."""
    farm.environment |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{site}"} | more
    return farm(*words)


def test_the_page_shows_the_example_as_it_is() -> None:
    blocks = re.findall(r"```(?:toml|python)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert blocks == [(EXAMPLE / name).read_text("utf-8") for name in ("pyproject.toml", "farm_example.py")]


def test_plugins_are_listed_with_what_is_wrong_with_them(farm: Farm, site: Path) -> None:
    package(site, "broken", "print(1)\nimport no_such_module", exporters="junit=f broken=f [/red]=f")
    rows = {row.pop("name"): row for row in json.loads(call(farm, site, "plugins", "list", "--json").stdout)}
    good = {"package": "farm-example-plugins", "version": "1.0", "state": "ok"}
    bad = {"package": "broken", "version": "1.0", "group": "farm.exporters"}
    assert rows == {
        "slowest": {"group": "farm.exporters"} | good,
        "loading": {"group": "farm.report_sections"} | good,
        "note": {"group": "farm.notifications"} | good,
        "junit": bad | {"state": "is not used: farm itself has this name"},
        "broken": bad | {"state": "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"},
        "[/red]": bad | {"state": f"is not used: a name has {NAME_RULE}"},
    }
    shown = call(farm, site, "plugins", "list")
    assert (shown.code, len(shown.stdout.splitlines())) == (0, 7)
    told = call(farm, site, "export", "--help")
    assert (told.code, "slowest" in told.stdout, "[/red]" in told.stdout) == (0, True, False)


def test_a_run_is_exported_by_a_plugin(farm: Farm, site: Path, run: str) -> None:
    done = call(farm, site, "export", run, "--format", "slowest")
    times = [float(line.split()[0]) for line in done.stdout.splitlines()]
    assert done.code == 0, done.stderr
    assert times == sorted(times, reverse=True)
    assert len(times) == len([cell for cell in make.small().cells if cell.summary])


def test_a_format_that_nobody_has_is_told_with_those_of_plugins(farm: Farm, site: Path, run: str) -> None:
    done = call(farm, site, "export", run, "--format", "slowst")
    assert done.code == 2
    assert "or parquet or slowest (did you mean slowest?)" in done.stderr


def test_a_format_whose_plugin_fails_is_an_error_that_names_it(farm: Farm, site: Path, run: str) -> None:
    code = "def f(results): return results.nonsense\ndef g(results): return 5"
    package(site, "broken", code, exporters="junit=f broken=f odd=g")
    done = call(farm, site, "export", run, "--format", "broken", "--output", "out")
    assert done.code == 4
    assert "error: the plugin broken of broken 1.0 failed: AttributeError: " in done.stderr
    assert "  try: pip install --upgrade broken, or pip uninstall broken" in done.stderr
    assert not (farm.folder / "out").exists()
    odd = call(farm, site, "export", run, "--format", "odd")
    assert (odd.code, "the plugin odd of broken 1.0 made int instead of str or bytes" in odd.stderr) == (
        4,
        True,
    )
    assert call(farm, site, "export", run, "--format", "junit").stdout.startswith("<?xml")


def test_a_report_has_the_section_of_a_plugin(farm: Farm, site: Path, run: str) -> None:
    assert call(farm, site, "report", run).code == 0
    page = (farm.folder / "runs" / run / "report.html").read_text("utf-8")
    assert '<a href="#plugin-1">Loading</a>' in page
    assert "By the plugin loading of farm-example-plugins 1.0." in page


@pytest.mark.wheel
@pytest.mark.usefixtures("wheel_runtime")
def test_a_night_tells_what_is_new_by_a_plugin(farm: Farm, site: Path) -> None:
    package(
        site, "broken", "def f(message, options): raise ValueError(options['key'])", notifications="broken=f"
    )
    notify = [
        {"plugin": "note", "options": {"file": "$NEWS"}},
        {"plugin": "broken", "options": {"key": "$KEY"}},
    ]
    (farm.folder / "night.yaml").write_text(
        json.dumps({
            "models": {"tiny": "bundled:tiny"}, "rounds": 1, "options": {"iter": 3}, "canary": False,
            "nightly": {"baseline": "tag:none", "notify": [*notify, {"plugin": "nte"}]},
        })
    )  # fmt: skip
    done = call(farm, site, "nightly", "night.yaml", NEWS="news.txt", KEY="s3cret-key")
    assert done.code == 0, done.stderr
    assert "- not compared with tag:none" in (farm.folder / "news.txt").read_text()
    missing = "there is no plugin 'nte' for farm.notifications (did you mean note?)"
    assert done.stderr.startswith(missing), "said before the night"
    assert f"the plugin nte ended with 1: {missing}; the next night tells it again" in done.stderr
    assert (
        "the plugin broken ended with 1: ValueError (broken.py:1); the next night tells it again"
        in done.stderr
    )
    assert "s3cret-key" not in done.stderr + done.stdout
    assert '<a href="#plugin-1">Loading</a>' in next(farm.folder.glob("runs/*/report.html")).read_text(
        "utf-8"
    )
