"""Tags: names that people give to runs, as `release-1.13`. A file each in `.tags/` of the folder of the runs,
so that they go where the runs go; a tagged run is never expired.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from farm.errors import RequestError, RunError
from farm.files import private_folder, write_atomic
from farm.suggest import nearest
from farm.visible import one_line, writable

FOLDER = ".tags"
PREFIX = "tag:"
"""What a tag is written with where a run is asked for: `tag:release-1.13`."""

VERSION = 1
LONGEST_NOTE = 500
MOST_BYTES = 1 << 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\Z")


@dataclass(frozen=True)
class Tag:
    """`run` is the name of the run's folder, `at` when it got the tag (ISO 8601, UTC)."""

    name: str
    run: str
    at: str
    note: str = ""


def all_tags(runs_dir: Path) -> tuple[Tag, ...]:
    """By name. Raises RequestError for one that cannot be read: what it protects is not known then."""
    try:
        names = sorted(path.name for path in (runs_dir / FOLDER).iterdir() if _NAME.match(path.name))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise RequestError(f"cannot read the tags in {runs_dir}: {error.strerror}") from error
    return tuple(_read(runs_dir, name) for name in names)


def tagged(runs_dir: Path, name: str) -> Tag:
    """Raises RequestError where there is no such tag, or it cannot be read."""
    if not _NAME.match(name) or not (runs_dir / FOLDER / name).exists():
        known = [tag.name for tag in all_tags(runs_dir)]
        raise RequestError(
            f"no tag {name!r} in {runs_dir}{nearest(name, known)}",
            hint="farm runs tag lists them; farm runs tag RUN NAME makes one",
        )
    return _read(runs_dir, name)


def set_tag(runs_dir: Path, name: str, run: str, note: str = "", *, is_moved: bool = False) -> Tag:
    """Give a run a tag. Raises RequestError for a name that cannot be one, or that another run has already
    and that is not to be moved; RunError for disk errors.
    """
    if not _NAME.match(name):
        raise RequestError(
            f"invalid tag {name!r}", hint="use letters, digits, dot, dash, plus and underscore"
        )
    if (runs_dir / FOLDER / name).exists() and not is_moved:
        other = _read(runs_dir, name)
        if other.run != run:
            raise RequestError(
                f"{name} is a tag of the run {other.run}", hint="--move, or another name; nothing was changed"
            )
    tag = Tag(name, run, datetime.now(UTC).isoformat(timespec="seconds"), one_line(note, LONGEST_NOTE))
    text = json.dumps({"version": VERSION, "run": tag.run, "at": tag.at, "note": tag.note}, indent=1)
    try:
        write_atomic(private_folder(runs_dir / FOLDER) / name, writable(text).encode() + b"\n")
    except OSError as error:
        raise RunError(f"cannot write the tag {name} in {runs_dir}: {error.strerror}") from error
    return tag


def remove_tag(runs_dir: Path, name: str) -> Tag:
    """Raises RequestError where there is no such tag, RunError for disk errors."""
    tag = tagged(runs_dir, name)
    try:
        (runs_dir / FOLDER / name).unlink()
    except OSError as error:
        raise RunError(f"cannot remove the tag {name} in {runs_dir}: {error.strerror}") from error
    return tag


def _read(runs_dir: Path, name: str) -> Tag:
    path = runs_dir / FOLDER / name
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(MOST_BYTES))
        if found["version"] != VERSION:
            raise ValueError(f"version {found['version']}, this farm reads {VERSION}")
        return Tag(name, *(one_line(str(found[key]), LONGEST_NOTE) for key in ("run", "at", "note")))
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RequestError(
            f"the tag {path} cannot be read: {one_line(str(error), 200)}",
            hint=f"farm runs tag RUN {name} --move   (or remove the file)",
        ) from error
