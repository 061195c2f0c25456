"""What others wrote is in the package as they published it, with its licence."""

from __future__ import annotations

import hashlib
import re

from farm import resources


def test_vendored_files_are_those_whose_digests_are_written_down():
    folder = resources.folder("reports") / "vendor"
    noted = dict(
        re.findall(r"\| `([\w./]+)` \| `([0-9a-f]{64})` \|", (folder / "README.md").read_text("utf-8"))
    )
    there = {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file() and file.name != "README.md"
    }
    assert there == noted
    assert "uplot/LICENSE" in there
