"""The examples of docs/api.md, run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Farm

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text("utf-8"), re.DOTALL)
RUN = """import runpy
from tests.blocking import nothing_blocks
with nothing_blocks():
    runpy.run_path("example.py", run_name="__main__")
"""


@pytest.mark.wheel
@pytest.mark.usefixtures("wheel_runtime")
@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs_on_this_machine(farm: Farm, number: int) -> None:
    (farm.folder / "example.py").write_text(EXAMPLES[number])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN], cwd=farm.folder, env={**farm.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list((farm.folder / "runs").glob("*/report.html"))
