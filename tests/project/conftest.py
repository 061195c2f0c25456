"""Where the project is, and how its own tools are called."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture
def tool() -> Tool:
    """Runs a module of the environment that runs the tests: `tool("mkdocs", "build", cwd=folder)`."""

    def run(module: str, *words: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", module, *map(str, words)]
        return subprocess.run(command, check=False, capture_output=True, text=True, **more)

    return run
