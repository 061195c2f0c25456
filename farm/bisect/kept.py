"""Copies of the builds that a command made: the next step may be built in the same folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from farm.errors import RequestError, RunError
from farm.files import private_folder, write_atomic
from farm.inventory.files import files_of
from farm.model.build import Build
from farm.model.device import Runtime
from farm.visible import changed, writable

DEFINITION = "build.json"
"""Written last: a folder without it is of a copy that was cut short."""


@dataclass(frozen=True)
class MadeBy:
    """What made a build: the command, and the step in the user's words."""

    command: str
    step: str


@dataclass(frozen=True)
class _Kept:
    build: Build
    by: MadeBy


_KEPT: TypeAdapter[_Kept] = TypeAdapter(_Kept)


def kept(folder: Path, by: MadeBy) -> Build | None:
    """The build that was copied there; None where there is none, or not the whole of it, or where another
    command or step made it.
    """
    try:
        found = _KEPT.validate_json((folder / DEFINITION).read_bytes())
    except (OSError, ValidationError, ValueError):
        return None
    files = (path for choice in found.build.choices for _, path in files_of(choice.runtime))
    is_it = found.by == changed(by, writable) and all(path.is_file() for path in files)
    return found.build if is_it else None


def keep(build: Build, folder: Path, by: MadeBy) -> Build:
    """The same build with copies of its files in `folder`.

    Raises RequestError where one cannot be read, and RunError where one cannot be written.
    """
    try:
        shutil.rmtree(folder, ignore_errors=True)
        private_folder(folder)
        choices = tuple(
            replace(choice, runtime=_copied(choice.runtime, folder / str(number)))
            for number, choice in enumerate(build.choices)
        )
        made = Build(build.name, choices, build.source)
        write_atomic(folder / DEFINITION, _KEPT.dump_json(_Kept(made, changed(by, writable))))
    except OSError as error:
        raise RunError(f"cannot write {error.filename or folder}: {error.strerror}") from error
    return made


def is_whole(build: Build) -> str | None:
    """Why a build cannot be measured here: a file that is not there; None where all are."""
    files: Iterable[tuple[str, Path]] = (one for choice in build.choices for one in files_of(choice.runtime))
    return next((f"{key}: no such file: {path}" for key, path in files if not path.is_file()), None)


def _copied(runtime: Runtime, folder: Path) -> Runtime:
    """Each kind of file has a folder of its own: names stay as they are."""

    def copy(path: str, part: str) -> str:
        target = private_folder(folder / part) / Path(path).name
        try:
            source = Path(path).open("rb")  # noqa: SIM115 - what cannot be read is another mistake
        except OSError as error:
            raise RequestError(f"cannot read {path}: {error.strerror}") from error
        with source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink)
        shutil.copymode(path, target)
        return str(target)

    is_here = runtime.program is not None and not runtime.on_device
    return replace(
        runtime,
        program=copy(runtime.program, "bin") if is_here and runtime.program else runtime.program,
        libraries=tuple(copy(path, "lib") for path in runtime.libraries),
        overlay=tuple((name, copy(path, f"over-{n}")) for n, (name, path) in enumerate(runtime.overlay)),
        preload=tuple(copy(path, f"before-{n}") for n, path in enumerate(runtime.preload)),
    )
