"""Ceilings that were measured, kept on the controller: one file for each device and core set.

The file says what it depends on: after a restart of the device, or with another governor, it counts for
nothing and is replaced. So there are never more files than devices and core sets.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from farm import resources
from farm.files import private_folder, write_atomic
from farm.model.operators import Ceilings

MOST_BYTES = 1 << 20


class CeilingStore:
    """Safe for concurrent farms: files are written aside and renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, place: str, key: str) -> Ceilings | None:
        """What is kept in a place under this very key; None for anything else, a damaged file included."""
        try:
            with self._path(place).open("rb") as stream:
                kept: dict[str, Any] = json.loads(stream.read(MOST_BYTES))
            if kept["key"] != key:
                return None
            values = kept["ceilings"]
            found = Ceilings(
                float(values["gflops"]),
                float(values["gbps"]),
                "measured",
                rounds_gflops=tuple(map(float, values["rounds_gflops"])),
                rounds_gbps=tuple(map(float, values["rounds_gbps"])),
                from_run=str(values["from_run"]),
            )
        except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None
        numbers = (found.gflops, found.gbps, *found.rounds_gflops, *found.rounds_gbps)
        return found if all(math.isfinite(one) and one > 0 for one in numbers) else None

    def keep(self, place: str, key: str, ceilings: Ceilings) -> None:
        """In the place of what was there. Raises OSError."""
        private_folder(self._root)
        text = json.dumps({"key": key, "ceilings": asdict(ceilings)}, indent=1)
        write_atomic(self._path(place), text.encode() + b"\n")

    def _path(self, place: str) -> Path:
        return self._root / f"{hashlib.sha256(place.encode('utf-8', 'backslashreplace')).hexdigest()}.json"


def ceiling_store() -> CeilingStore:
    """The store in the user's cache folder."""
    return CeilingStore(resources.cache_folder() / "ceilings")
