"""Searches on disk: `.tune/<id>/` in the folder of the runs, with tune.json and the variant that won."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from farm.errors import RequestError, RunError
from farm.files import write_atomic
from farm.store.alone import alone
from farm.store.runs import LATEST, RUN_ID
from farm.suggest import nearest
from farm.tune.nouns import Asked, Tune
from farm.visible import one_line, writable

FOLDER = ".tune"
STATE, VARIANT = "tune.json", "variant.yaml"
VERSION = 1
MOST_BYTES = 64 << 20
LONGEST_ID = 60
"""The names of its runs are longer."""


@dataclass(frozen=True)
class _File:
    version: int
    tune: Tune


_FILE: TypeAdapter[_File] = TypeAdapter(_File)


def as_dict(tune: Tune) -> dict[str, Any]:
    """The search as tune.json has it."""
    found: dict[str, Any] = _FILE.dump_python(_File(VERSION, tune), mode="json")
    return found


class TuneFolder:
    """Of one search, by its id. Two that go on at the same time are refused."""

    def __init__(self, runs_dir: Path, tune_id: str) -> None:
        if not RUN_ID.match(tune_id) or tune_id == LATEST or len(tune_id) > LONGEST_ID:
            raise RequestError(
                f"invalid name of a search {one_line(tune_id, LONGEST_ID)!r}",
                hint=f"use up to {LONGEST_ID} letters, digits, dots, dashes and underscores",
            )
        self.id = tune_id
        self.path = runs_dir / FOLDER / tune_id

    @property
    def state_path(self) -> Path:
        return self.path / STATE

    @property
    def variant_path(self) -> Path:
        return self.path / VARIANT

    def exists(self) -> bool:
        return self.state_path.exists()

    def alone(self) -> AbstractContextManager[None]:
        """Raises RequestError while this search goes on elsewhere, RunError for disk errors."""
        return alone(self.path / ".lock", f"the search {self.id}", "wait for it, or end it")

    def load(self) -> Tune:
        """Raises RequestError where there is no such search, or its file cannot be read."""
        try:
            with self.state_path.open("rb") as stream:
                found = _FILE.validate_json(stream.read(MOST_BYTES))
        except FileNotFoundError:
            known = sorted(one.parent.name for one in self.path.parent.glob(f"*/{STATE}"))
            raise RequestError(
                f"no search {self.id!r} in {self.path.parent.parent}{nearest(self.id, known)}",
                hint="farm tune without --resume begins one",
            ) from None
        except (OSError, ValidationError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else type(error).__name__
            raise RequestError(
                f"{self.state_path} cannot be read: {why}",
                hint="farm tune without --resume begins a new search",
            ) from error
        if found.version != VERSION:
            raise RequestError(f"{self.state_path} is of version {found.version}, this farm reads {VERSION}")
        return found.tune

    def save(self, tune: Tune) -> None:
        """Raises RunError for disk errors."""
        text = json.dumps(as_dict(tune), indent=1, ensure_ascii=True)
        self._write(self.state_path, text)

    def write_variant(self, text: str, path: Path | None) -> Path:
        """Where it is: at `path`, or with the search. Raises RunError for disk errors."""
        self._write(path or self.variant_path, text)
        return path or self.variant_path

    def _write(self, path: Path, text: str) -> None:
        try:
            write_atomic(path, writable(text).encode() + b"\n")
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from error


def resumed(before: Asked, now: Asked) -> Asked:
    """What a resumed search is asked for: what it was, where nothing is said now.

    Raises RequestError with what differs: other times would be compared.
    """
    differing = []
    for field in fields(Asked):
        was, given = getattr(before, field.name), getattr(now, field.name)
        if given not in (None, (), {}) and given != was:
            differing.append(f"{field.name.replace('_', '-')} was {_shown(was)}, not {_shown(given)}")
    if differing:
        raise RequestError(
            f"this search was asked for something else: {'; '.join(differing)}",
            hint="resume it without these options, or begin a new one without --resume",
        )
    return before


def _shown(value: object) -> str:
    if value in (None, (), {}):
        return "not given"
    if isinstance(value, dict):
        return one_line(" ".join(f"{name}={one}" for name, one in value.items()), 200)
    return one_line(", ".join(value) if isinstance(value, tuple) else str(value), 200)
