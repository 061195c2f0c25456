"""The state of a suite's nights on disk: `.nightly/<suite>.json` in the folder of the runs."""

from __future__ import annotations

import hashlib
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from farm.errors import RunError
from farm.files import write_atomic
from farm.nightly.nouns import State
from farm.store.alone import alone

FOLDER = ".nightly"
VERSION = 1
LONGEST_NAME = 50


@dataclass(frozen=True)
class _File:
    version: int
    state: State


_FILE: TypeAdapter[_File] = TypeAdapter(_File)


class Nights:
    """Of one suite, by its name. Two of one suite at the same time are refused."""

    def __init__(self, runs_dir: Path, suite: str) -> None:
        self.suite = suite
        self.name = _name(suite)
        self._path = runs_dir / FOLDER / f"{self.name}.json"

    @property
    def good_tag(self) -> str:
        """The tag of the newest night that was good."""
        return f"nightly-{self.name}-good"

    def alone(self) -> AbstractContextManager[None]:
        """Raises RequestError while another nightly of this suite goes on, RunError for disk errors."""
        return alone(
            self._path.with_suffix(".lock"),
            f"a nightly of {self.suite}",
            "wait for it, or end it; farm runs list shows it",
        )

    def load(self) -> tuple[State, str | None]:
        """The state, and what is wrong with its file: then it is as in the first night."""
        try:
            found = _FILE.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return State(), None
        except (OSError, ValidationError, ValueError) as error:
            return State(), f"{self._path} cannot be read ({type(error).__name__}): everything is told as new"
        if found.version != VERSION:
            return State(), f"{self._path} is of version {found.version}: everything is told as new"
        return found.state, None

    def save(self, state: State) -> None:
        """Raises RunError for disk errors: then the next night tells the same again."""
        try:
            write_atomic(self._path, _FILE.dump_json(_File(VERSION, state), indent=1))
        except OSError as error:
            raise RunError(f"cannot write {self._path}: {error.strerror}") from error


def _name(suite: str) -> str:
    """As a part of the ids of runs and of a tag: letters, digits, dots and dashes; of a name that had to be
    changed, with digits of its digest.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", suite).strip("._-")[:LONGEST_NAME]
    if plain and plain == suite:
        return plain
    digest = hashlib.sha256(suite.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{plain}-{digest}".lstrip("-")
