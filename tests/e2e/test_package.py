"""The built wheel, installed away from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from farm.runtime.cache import default_root

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_agents_reports_and_models(built_wheel: Path) -> None:
    names = set(zipfile.ZipFile(built_wheel).namelist())
    assert {
        "farm/_data/agents/shell/1-check/1-head.sh",
        "farm/_data/agents/wheel/load_and_run.py",
        "farm/_data/agents/wheel/unpack.py",
        "farm/_data/agents/wheel/mge/__init__.py",
        "farm/_data/agents/wheel/mge/execution/run.py",
        "farm/bundled/tiny.mge",
        "farm/bundled/models.json",
    } <= names
    assert any(name.startswith("farm/_data/reports/") and name.endswith(".html.j2") for name in names)
    top = {name.partition("/")[0] for name in names}
    assert top == {"farm", next(name for name in top if name.endswith(".dist-info"))}


def locked_for_users() -> list[Distribution]:
    """What requirements/run.txt names for this Python, as it is installed for the tests: the same versions."""
    lines = (ROOT / "requirements/run.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line.rstrip("\\ ")) for line in lines if "==" in line]
    here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    assert [str(pin) for pin in here if not pin.specifier.contains(distribution(pin.name).version)] == []
    return [distribution(pin.name) for pin in here]


def link_packages(one: Distribution, packages: Path) -> None:
    """Make a distribution importable there without a download."""
    tops = {
        Path(file).parts[0] for file in one.files or () if Path(file).parts[0] not in {"..", "__pycache__"}
    }
    for top in tops:
        if not (packages / top).exists():
            (packages / top).symlink_to(Path(str(one.locate_file(top))))


@pytest.mark.wheel
def test_the_installed_wheel_runs_a_bench_away_from_the_checkout(
    built_wheel: Path, tmp_path: Path, wheel_runtime: object
) -> None:
    environment = tmp_path / "env"
    venv.create(environment)
    packages = next(environment.glob("lib/*/site-packages"))
    for one in locked_for_users():
        link_packages(one, packages)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(environment / "bin/python"),
        "--disable-pip-version-check",
    ]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", "--no-deps", str(built_wheel)], check=True)
    away = tmp_path / "away"
    away.mkdir()
    settings = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    # A home of its own: tests that run at the same time never share the device `local`.
    settings |= {"HOME": str(away), "FARM_CACHE_DIR": str(default_root().parent)}
    outcome = subprocess.run(
        [
            str(environment / "bin/farm"),
            "bench",
            "--model",
            "bundled:tiny",
            "--rounds",
            "1",
            "--iter",
            "10",
            "--json",
        ],
        cwd=away,
        env=settings,
        check=False,
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 0, outcome.stderr
    results = json.loads(outcome.stdout)
    assert [cell["status"] for cell in results["cells"]] == ["completed"]
    assert (away / "runs" / results["run_id"] / "report.html").is_file()
