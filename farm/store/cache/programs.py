"""The flags of native programs, kept by the program's digest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from farm import resources
from farm.files import private_folder, write_atomic


@dataclass(frozen=True)
class Known:
    """The flags of a program, with underscores, and the device that its --help was read on."""

    flags: frozenset[str]
    asked_on: str


class ProgramStore:
    """A folder: `<digest>.json` has the flags of the program of that digest. Safe for concurrent farms."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, digest: str) -> Known | None:
        """What is known of a program; None when its flags were never read."""
        try:
            found = json.loads(self.path(digest).read_text("utf-8"))
            return Known(frozenset(found["flags"]), str(found["asked_on"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def keep(self, digest: str, known: Known) -> None:
        """Raises OSError."""
        private_folder(self._root)
        text = json.dumps({"asked_on": known.asked_on, "flags": sorted(known.flags)}, indent=1)
        write_atomic(self.path(digest), text.encode() + b"\n")

    def path(self, digest: str) -> Path:
        return self._root / f"{digest}.json"


def program_store() -> ProgramStore:
    """The store in the user's cache folder."""
    return ProgramStore(resources.cache_folder() / "programs")
