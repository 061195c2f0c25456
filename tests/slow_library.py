"""A second build for tests: the wheel, and one preloaded library that costs a known time per inference."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "data" / "slow_library.c"


def build_slow_library(folder: Path, nanoseconds: int, fraction: float = 0.0) -> Path:
    """A library for LD_PRELOAD that makes each inference of the wheel runtime slower by `nanoseconds` and by a
    `fraction` of its own time (0.05: 5 %). Skips the test where there is no C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    path = folder / f"slow-{nanoseconds}-{fraction}.so"
    settings = (f"-DSLOW_NS={nanoseconds}", f"-DSLOW_FRACTION={fraction}")
    command = (compiler, "-shared", "-fPIC", "-O2", *settings, "-o", str(path), str(SOURCE), "-ldl")
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path
