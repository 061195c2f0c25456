"""Small files of texts in a hidden folder beside the runs: one for each name, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from farm.errors import RequestError, RunError
from farm.files import SHARED_FILE, write_atomic
from farm.visible import one_line, writable

VERSION = 1
LONGEST_TEXT = 500
MOST_BYTES = 1 << 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\Z")


@dataclass(frozen=True)
class Notes:
    """Notes of one kind: `noun` is what messages call one, `keys` are its texts, `mend` what to type where
    one cannot be read.
    """

    folder: Path
    noun: str
    keys: tuple[str, ...]
    mend: str

    def names(self) -> tuple[str, ...]:
        """All, in order. Raises RequestError where the folder cannot be read."""
        try:
            return tuple(sorted(path.name for path in self.folder.iterdir() if is_name(path.name)))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise RequestError(f"cannot read {self.folder}: {error.strerror}") from error

    def has(self, name: str) -> bool:
        """False, too, where that cannot be seen."""
        try:
            return is_name(name) and (self.folder / name).exists()
        except OSError:
            return False

    def read(self, name: str) -> Mapping[str, str]:
        """Raises RequestError where it cannot be read."""
        path = self.folder / name
        try:
            with path.open("rb") as stream:
                found = json.loads(stream.read(MOST_BYTES))
            if found["version"] != VERSION:
                raise ValueError(f"version {found['version']}, this farm reads {VERSION}")
            return {key: one_line(str(found[key]), LONGEST_TEXT) for key in self.keys}
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise RequestError(
                f"{self.noun} {path} cannot be read: {one_line(str(error), 200)}",
                hint=f"{self.mend.format(name=name)}   (or remove the file)",
            ) from error

    def write(self, name: str, texts: Mapping[str, str]) -> Mapping[str, str]:
        """What was written: on one line each. Raises RunError for disk errors."""
        short = {key: one_line(texts[key], LONGEST_TEXT) for key in self.keys}
        text = json.dumps({"version": VERSION, **short}, indent=1)
        try:
            # Not private as the runs: everybody who uses a folder of runs has to heed them.
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self.folder / name, writable(text).encode() + b"\n", mode=SHARED_FILE)
        except OSError as error:
            raise RunError(f"cannot write {self.noun} {self.folder / name}: {error.strerror}") from error
        return short

    def remove(self, name: str) -> None:
        """Raises RunError for disk errors."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"cannot remove {self.noun} {self.folder / name}: {error.strerror}") from error


def is_name(text: str) -> bool:
    return _NAME.match(text) is not None
