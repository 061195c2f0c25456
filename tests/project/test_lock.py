"""The lock files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

LINE = re.compile(
    r"[a-z0-9][a-z0-9.-]*(\[[a-z0-9,]+\])?==[\w.+!]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?"
)


@pytest.mark.parametrize("name", ["run", "dev"])
def test_a_lock_has_names_versions_and_hashes_and_says_of_no_index(root: Path, name: str) -> None:
    lines = (root / "requirements" / f"{name}.txt").read_text().splitlines()
    assert len(lines) > 20
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert not lines[-1].endswith("\\")
