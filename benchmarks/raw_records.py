"""Raw records of measurements that go on in a later call: a JSON object a line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of the file; one that was cut off is named and left out. No file: none."""
    found = []
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else (), start=1):
        try:
            found.append(json.loads(line))
        except ValueError:
            print(f"{path}, line {number}: cut off, left out", file=sys.stderr)
    return found


def append(path: Path, record: dict[str, Any]) -> None:
    """Adds a line, also after one that was cut off."""
    path.parent.mkdir(exist_ok=True)
    is_cut = path.exists() and path.read_bytes()[-1:] not in {b"", b"\n"}
    with path.open("a") as file:
        file.write("\n" * is_cut + json.dumps(record) + "\n")
