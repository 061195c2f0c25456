"""What farm knows of native programs, kept by their digest: which flags each one has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from farm import resources
from farm.files import write_atomic


@dataclass(frozen=True)
class Known:
    """The flags of a program, with underscores, and the device that it was asked on."""

    flags: frozenset[str]
    asked_on: str


class ProgramStore:
    """A folder: `<digest>.json` says which flags the program of that digest has. Safe for several farms."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, digest: str) -> Known | None:
        """What is known of a program; None when it was never asked."""
        try:
            found = json.loads(self.path(digest).read_text("utf-8"))
            return Known(frozenset(found["flags"]), str(found["asked_on"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def keep(self, digest: str, known: Known) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"asked_on": known.asked_on, "flags": sorted(known.flags)}, indent=1)
        write_atomic(self.path(digest), text.encode() + b"\n")

    def path(self, digest: str) -> Path:
        return self._root / f"{digest}.json"


def program_store() -> ProgramStore:
    """The user's own."""
    return ProgramStore(resources.cache_folder() / "programs")
