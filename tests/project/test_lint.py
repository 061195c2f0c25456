"""All that is checked without running anything, as one test: it runs beside the others."""

from __future__ import annotations

import subprocess
from pathlib import Path


def test_scripts_lint_finds_nothing(root: Path) -> None:
    found = subprocess.run([root / "scripts/lint"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
