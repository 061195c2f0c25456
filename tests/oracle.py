"""MegEngine's own tools, run by a CPython 3.10 that has them: `pip install 'megengine-farm[oracle]'`.

FARM_ORACLE_PYTHON names the interpreter; else `.venv-oracle/bin/python` of the checkout. Only MegEngine's module
that is asked for is imported, not its whole package, which takes seconds and asks for a graphics driver.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
ENTER = """
import importlib.util, sys, types
for name in ("megengine", "megengine.utils", "megengine.tools"):
    places = importlib.util.find_spec("megengine").submodule_search_locations
    module = types.ModuleType(name)
    module.__path__ = [place + name[len("megengine"):].replace(".", "/") for place in places]
    if name == "megengine":
        module.__spec__ = importlib.util.find_spec("megengine")
    sys.modules[name] = module
"""
WALL_S = 120


def python() -> str:
    """The interpreter; skips the test where there is none with megengine."""
    path = Path(os.environ.get("FARM_ORACLE_PYTHON") or CHECKOUT / ".venv-oracle" / "bin" / "python")
    if not path.is_file():
        pytest.skip("no CPython 3.10 with megengine: name it in FARM_ORACLE_PYTHON")
    return str(path)


def run(program: str, *arguments: str | Path) -> str:
    """What a program prints that imports a module of MegEngine."""
    done = subprocess.run(
        [python(), "-W", "ignore", "-c", ENTER + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=WALL_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
